// Makes a Python environment for the server in the extension's own storage, with visible progress.
// Invariant: the environment that is there stays as it is until a whole new one takes its place,
// whatever fails and whenever it is cancelled.

import { spawn } from "node:child_process";
import { mkdir, rm } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { isAbsolute, join } from "node:path";
import { createInterface } from "node:readline";
import { type CancellationToken, ConfigurationTarget, type ExtensionContext, type LogOutputChannel, ProgressLocation, window, workspace } from "vscode";
import { failures } from "../messages.ts";
import { WrongSetting, textOf } from "../settings.ts";
import { show } from "../ui/show.ts";
import { pythonIn, writtenOut, type Machine } from "./locations.ts";
import { findPython, probe } from "./processes.ts";
import { beside, putInPlace } from "./replace.ts";

const PACKAGE = "diffill.server.package";
const REMOVE = { recursive: true, force: true, maxRetries: 5, retryDelay: 200 }; // what was killed may still write
const reason = (error: unknown) => (error instanceof Error ? error.message : String(error));

export const thisMachine = (): Machine => ({ env: process.env, home: homedir(), platform: process.platform });

export function ownFolder(context: ExtensionContext): string {
  return join(context.globalStorageUri.fsPath, "server");
}

/** What to install where the setting says nothing: Diffill is on no package index, so only a person knows. */
async function askForPackage(): Promise<string | undefined> {
  const kinds = [
    { label: "$(folder) A checkout", description: "the folder that was cloned", folder: true },
    { label: "$(package) A wheel", description: "a file that ends in .whl", folder: false },
  ];
  const title = "Diffill: what shall be installed?";
  const kind = await window.showQuickPick(kinds, { title, placeHolder: "It is asked once; diffill.server.package keeps the answer" });
  if (kind === undefined) return undefined;
  const chosen = await window.showOpenDialog({
    canSelectFolders: kind.folder,
    canSelectFiles: !kind.folder,
    filters: kind.folder ? {} : { Wheels: ["whl"] },
    title: kind.folder ? "The checkout of Diffill" : "The wheel of Diffill",
    openLabel: "Install",
  });
  return chosen?.[0]?.fsPath;
}

/** With what tuning needs. pip takes that behind a path and a name; what else may be set stays as it is. */
const withTuning = (wanted: string): string =>
  (isAbsolute(wanted) && !wanted.endsWith("]")) || /^[\w.-]+$/.test(wanted) ? `${wanted}[train]` : wanted;

/** A function that does this, one at a time: who asks while it is being done waits for the same one. */
export function oneAtATime(does: () => Promise<void>): () => Promise<void> {
  let doing: Promise<void> | undefined;
  return () => (doing ??= does().finally(() => (doing = undefined)));
}

/**
 * Make it, and put it where an older one may be, for which the server must have stopped. Whether
 * the server shall be started now; a failure has been shown.
 */
export async function createEnvironment(context: ExtensionContext, log: LogOutputChannel, stop: () => Promise<void>): Promise<boolean> {
  let named: string;
  try {
    named = textOf(PACKAGE, workspace.getConfiguration().get<unknown>(PACKAGE)).trim();
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
  const wanted = named ? writtenOut(named, thisMachine()) : await askForPackage();
  if (wanted === undefined) return false;
  const folder = ownFolder(context);
  return window.withProgress(
    { location: ProgressLocation.Notification, title: "Diffill", cancellable: true },
    async (progress, token) => {
      let made: string;
      try {
        await mkdir(context.globalStorageUri.fsPath, { recursive: true });
        made = await beside(folder);
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
        // -P: nothing that lies in the folder of temporary files is run.
        if (!(await run("making the environment", python, ["-P", "-m", "venv", made]))) return false;
        const own = pythonIn(made, thisMachine());
        const installing = `installing ${wanted}`;
        const pip = ["-P", "-m", "pip", "install", "--disable-pip-version-check", "--progress-bar", "off", withTuning(wanted)];
        if (!(await run(installing, own, pip, wanted))) return false;
        const serves = await probe.hasServer(own);
        if (!serves && !token.isCancellationRequested) show(failures.environmentFailed(installing, "pip installed it, but it is not Diffill", wanted));
        if (!serves || token.isCancellationRequested) return false;
        await stop();
        await putInPlace(made, folder).then(
          () => settle(named, wanted, log),
          (error: NodeJS.ErrnoException) => show(failures.notPutInPlace(reason(error), error.code)),
        );
        return true; // the old one or the new one
      } finally {
        await rm(made, REMOVE).catch((error: unknown) => log.warn(reason(error)));
      }
    },
  );
}

/** Keep what a person chose, and say so if another server than this one is set. */
async function settle(named: string, wanted: string, log: LogOutputChannel): Promise<void> {
  if (!named)
    try {
      await workspace.getConfiguration().update(PACKAGE, wanted, ConfigurationTarget.Global);
    } catch (error) {
      log.warn(`${PACKAGE} was not kept: ${reason(error)}`);
    }
  for (const name of ["diffill.server.path", "diffill.server.interpreter"]) {
    const value = workspace.getConfiguration().get<unknown>(name);
    if (typeof value === "string" && value) return show(failures.notUsed(name, value));
  }
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
    for (const input of [child.stdout, child.stderr])
      createInterface({ input }).on("line", (line) => {
        if (!line.trim()) return;
        last = line.trim();
        log.info(last);
        hear(last);
      });
    child.on("error", (error) => {
      last = error.message;
      resolve(1);
    });
    child.on("close", (code) => resolve(code ?? 1));
  });
  return { code, last };
}
