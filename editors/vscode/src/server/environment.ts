// Makes a Python environment for the server in the extension's own storage, with visible progress.
// Invariant: the environment that is there stays as it is until a whole new one takes its place,
// whatever fails and whenever it is cancelled.

import { spawn } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { type CancellationToken, type ExtensionContext, type LogOutputChannel, ProgressLocation, window, workspace } from "vscode";
import { failures } from "../messages.ts";
import { WrongSetting, textOf } from "../settings.ts";
import { show } from "../ui/show.ts";
import { pythonIn, type Machine } from "./locations.ts";
import { findPython } from "./processes.ts";
import { putInPlace } from "./replace.ts";

const PACKAGE = "diffill.server.package";
const REMOVE = { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }; // what was killed may still write
const reason = (error: unknown) => (error instanceof Error ? error.message : String(error));

export const thisMachine = (): Machine => ({ env: process.env, home: homedir(), platform: process.platform });

export function ownFolder(context: ExtensionContext): string {
  return join(context.globalStorageUri.fsPath, "server");
}

/**
 * Make it, and put it where an older one may be, for which the server must have stopped. Whether
 * the server shall be started now; a failure has been shown.
 */
export async function createEnvironment(context: ExtensionContext, log: LogOutputChannel, stop: () => Promise<void>): Promise<boolean> {
  let wanted: string;
  try {
    wanted = textOf(PACKAGE, workspace.getConfiguration().get<unknown>(PACKAGE)) || "diffill";
  } catch (error) {
    if (!(error instanceof WrongSetting)) throw error;
    show(failures.noServer(error.message, error.setting));
    return false;
  }
  const python = await findPython(thisMachine());
  if (python === undefined) {
    show(failures.noPython());
    return false;
  }
  const folder = ownFolder(context);
  const made = `${folder}.new`;
  return window.withProgress(
    { location: ProgressLocation.Notification, title: "Diffill", cancellable: true },
    async (progress, token) => {
      try {
        await mkdir(context.globalStorageUri.fsPath, { recursive: true });
      } catch (error) {
        show(failures.noFolder(context.globalStorageUri.fsPath, reason(error)));
        return false;
      }
      const run = async (step: string, command: string, args: string[], installed?: string): Promise<boolean> => {
        progress.report({ message: step });
        const { code, last } = await runLogged(command, args, log, token, (line) => progress.report({ message: `${step}: ${line.slice(0, 80)}` }));
        if (code !== 0 && !token.isCancellationRequested) show(failures.environmentFailed(step, last, installed));
        return code === 0 && !token.isCancellationRequested;
      };
      try {
        if (!(await run("making the environment", python, ["-m", "venv", "--clear", made]))) return false;
        const pip = ["-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", wanted];
        if (!(await run(`installing ${wanted}`, pythonIn(made, thisMachine()), pip, wanted))) return false;
        await stop();
        await putInPlace(made, folder).catch((error: unknown) => show(failures.environmentFailed("putting it in its place", reason(error))));
        return true; // the old one or the new one
      } finally {
        await rm(made, REMOVE).catch((error: unknown) => log.warn(reason(error)));
      }
    },
  );
}

/** Run a program whose lines go to the log and to `hear`; its exit status and its last line. */
async function runLogged(
  command: string,
  args: string[],
  log: LogOutputChannel,
  token: CancellationToken,
  hear: (line: string) => void,
): Promise<{ code: number; last: string }> {
  log.info(`${command} ${args.join(" ")}`);
  let last = "";
  const code = await new Promise<number>((resolve) => {
    const child = spawn(command, args, { cwd: tmpdir() });
    token.onCancellationRequested(() => child.kill());
    const lines = (data: Buffer) => {
      for (const text of data.toString().split(/\r?\n/).filter((text) => text.trim())) {
        last = text.trim();
        log.info(last);
        hear(last);
      }
    };
    child.stdout.on("data", lines);
    child.stderr.on("data", lines);
    child.on("error", (error) => {
      last = error.message;
      resolve(1);
    });
    child.on("close", (code) => resolve(code ?? 1));
  });
  return { code, last };
}
