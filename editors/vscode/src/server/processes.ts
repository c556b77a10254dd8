// Short runs of other programs: to look at a Python, to make an environment.

import { execFile } from "node:child_process";
import { constants } from "node:fs";
import { access, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { promisify } from "node:util";
import type { Probe } from "./find.ts";
import { onPath, type Machine } from "./locations.ts";

const run = promisify(execFile);
const TIMEOUT_MS = 20_000;

/** Whether this is a program: a folder may be entered, but not run. */
export async function exists(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

async function says(python: string, code: string, flag = "-P"): Promise<string | undefined> {
  try {
    const { stdout } = await run(python, [flag, "-c", code], { timeout: TIMEOUT_MS, cwd: tmpdir() });
    return stdout.trim();
  } catch {
    return undefined; // no such program, no such module, or older than 3.11 and without -P
  }
}

export const probe: Probe = {
  exists,
  hasServer: async (python) =>
    (await exists(python)) &&
    // By its name: other servers have a package lsp_server, too.
    (await says(python, "import lsp_server; print(lsp_server.NAME)")) === "diffill",
  // -I: any version knows it, and it keeps modules of a folder out as well.
  version: (python) => says(python, "import sys; print('.'.join(map(str, sys.version_info[:3])))", "-I"),
};

/** A Python of version 3.11 or newer that can make environments, or undefined. */
export async function findPython(machine: Machine): Promise<string | undefined> {
  const names = ["python3", "python", "python3.14", "python3.13", "python3.12", "python3.11"];
  for (const name of names)
    for (const place of onPath(name, machine))
      if ((await exists(place)) && (await says(place, "import sys, venv, ensurepip; print(sys.version_info >= (3, 11))")) === "True")
        return place;
  return undefined;
}
