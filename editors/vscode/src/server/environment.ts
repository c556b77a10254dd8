// Makes a Python environment for the server in the extension's own storage, with visible progress.

import { spawn } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { type ExtensionContext, type LogOutputChannel, ProgressLocation, window, workspace } from "vscode";
import { failures } from "../messages.ts";
import { show } from "../ui/show.ts";
import { pythonIn, type Machine } from "./locations.ts";
import { findPython } from "./processes.ts";

export const thisMachine = (): Machine => ({ env: process.env, home: homedir(), platform: process.platform });

export function ownFolder(context: ExtensionContext): string {
  return join(context.globalStorageUri.fsPath, "server");
}

/** Make it, replacing an older one. Whether it is there now; a failure has been shown. */
export async function createEnvironment(context: ExtensionContext, log: LogOutputChannel): Promise<boolean> {
  const python = await findPython(thisMachine());
  if (python === undefined) {
    show(failures.noPython());
    return false;
  }
  const folder = ownFolder(context);
  const wanted = workspace.getConfiguration("diffill").get("server.package", "diffill");
  const steps: [string, string, string[]][] = [
    ["making the environment", python, ["-m", "venv", "--clear", folder]],
    [
      `installing ${wanted}`,
      pythonIn(folder, thisMachine()),
      ["-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", wanted],
    ],
  ];
  return window.withProgress(
    { location: ProgressLocation.Notification, title: "Diffill", cancellable: true },
    async (progress, token) => {
      try {
        await mkdir(context.globalStorageUri.fsPath, { recursive: true });
      } catch (error) {
        show(failures.noFolder(context.globalStorageUri.fsPath, error instanceof Error ? error.message : String(error)));
        return false;
      }
      for (const [step, command, args] of steps) {
        progress.report({ message: step });
        log.info(`${command} ${args.join(" ")}`);
        let last = "";
        const code = await new Promise<number>((resolve) => {
          const child = spawn(command, args, { cwd: tmpdir() });
          token.onCancellationRequested(() => child.kill());
          const line = (data: Buffer) => {
            for (const text of data.toString().split(/\r?\n/).filter((text) => text.trim())) {
              last = text.trim();
              log.info(last);
              progress.report({ message: `${step}: ${last.slice(0, 80)}` });
            }
          };
          child.stdout.on("data", line);
          child.stderr.on("data", line);
          child.on("error", (error) => {
            last = error.message;
            resolve(1);
          });
          child.on("close", (code) => resolve(code ?? 1));
        });
        if (code !== 0) {
          await rm(folder, { recursive: true, force: true }); // half an environment is none
          if (!token.isCancellationRequested) show(failures.environmentFailed(step, last));
          return false;
        }
      }
      return true;
    },
  );
}
