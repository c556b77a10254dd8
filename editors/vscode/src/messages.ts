// Every failure that a person sees: what happened, and the buttons that mend it.

import { type Found, type Source, quoted } from "./server/find.ts";
import { OLDEST_SERVER } from "./server/version.ts";

export type Fix = "Create Environment" | "Open Settings" | "Show Log" | "Restart Server";

export interface Failure {
  text: string;
  fixes: Fix[];
}

const PULL = 'with "git pull && make setup"';
const byPip = (python: string) =>
  `Update the checkout that it came from ${PULL}; where it is not that checkout's .venv, install the checkout there again: ${quoted(python)} -m pip install /path/to/checkout. Then restart it.`;

/** How a server is brought up to date, by where it was found. */
const UPDATES: Record<Source, (command: string) => string> = {
  "diffill.server.path": (command) => `Update ${command} where it was installed from, or name another in diffill.server.path, and restart it.`,
  "diffill.server.interpreter": byPip,
  "the active Python environment": byPip,
  "uv tool or pipx": () => `Update the checkout that it came from ${PULL}, install it again with "uv tool install --force /path/to/checkout" or "pipx install --force /path/to/checkout", whichever it came with, and restart it.`,
  PATH: (command) => `Update ${command} where it was installed from, and restart it.`,
  "the environment made by this extension": () => `Update the checkout that it came from ${PULL}, and create the environment again, which installs what diffill.server.package names.`,
};

const update = (found: Found): Failure => ({
  text: UPDATES[found.source](found.command),
  fixes: found.source === "the environment made by this extension" ? ["Create Environment"] : ["Restart Server"],
});

export const failures = {
  noServer: (problem: string, setting?: string): Failure => ({
    text: setting
      ? `Diffill: ${problem}`
      : `Diffill: ${problem} The extension can make a Python environment of its own and install a checkout or a wheel of Diffill there, or you name a Python that has it.`,
    fixes: setting ? ["Open Settings"] : ["Create Environment", "Open Settings"],
  }),
  noPython: (): Failure => ({
    text: "Diffill: no Python 3.11 or newer with the venv module was found. Install one (on Debian and Ubuntu: sudo apt install python3-venv), then create the environment again.",
    fixes: ["Open Settings"],
  }),
  noFolder: (folder: string, why: string): Failure => ({
    text: `Diffill: the environment could not be made, because ${folder} cannot be written to (${why}). Free that place, or name a Python that has Diffill in the settings.`,
    fixes: ["Create Environment", "Open Settings"],
  }),
  /** `installed`: what was to be installed, where it is that which failed. */
  environmentFailed: (step: string, lastLine: string, installed?: string): Failure => ({
    text:
      `Diffill: the environment could not be made: ${step} failed: ${lastLine.replace(/\.$/, "")}. The log has all of it.` +
      (installed === undefined ? "" : ` What is installed is diffill.server.package (${installed}), which must be a checkout or a wheel of Diffill.`),
    fixes: installed === undefined ? ["Show Log", "Create Environment"] : ["Show Log", "Open Settings", "Create Environment"],
  }),
  /** Windows keeps a folder where it is, with such a code, as long as something runs in it. */
  notPutInPlace: (why: string, code: string | undefined): Failure =>
    failures.environmentFailed(
      "putting it in its place",
      code === "EPERM" || code === "EBUSY" ? `${why}. Close other windows, whose servers may run in the old one, and try again` : why,
    ),
  notUsed: (setting: string, value: string): Failure => ({
    text: `Diffill: the environment is made but not used, because ${setting} names another server (${value}). Empty that setting to use it.`,
    fixes: ["Open Settings"],
  }),
  notStarted: (command: string, why: string): Failure => ({
    text: `Diffill: the server (${command}) did not start: ${why}. The log has what it said.`,
    fixes: ["Show Log", "Open Settings", "Restart Server"],
  }),
  notLaunched: (why: string): Failure => ({
    text: `Diffill: the server could not be started: ${why}. The log has more.`,
    fixes: ["Show Log", "Open Settings", "Restart Server"],
  }),
  crashed: (times: number): Failure => ({
    text: `Diffill: the server ended by itself ${times} times within three minutes and is not started again. The log has what it said.`,
    fixes: ["Show Log", "Restart Server"],
  }),
  tooOld: (version: string, found: Found): Failure => ({
    text: `Diffill: the server from ${found.source} is version ${version}, this extension needs ${OLDEST_SERVER} or newer. ${update(found).text}`,
    fixes: [...update(found).fixes, "Open Settings"],
  }),
  cannot: (what: string, version: string, found: Found): Failure => ({
    text: `Diffill: this server${version ? ` (${version})` : ""} is too old to ${what}. ${update(found).text}`,
    fixes: update(found).fixes,
  }),
  /** `what` completes "Diffill could not ...". */
  ended: (what: string): Failure => ({
    text: `Diffill could not ${what}: the server ended by itself meanwhile, and is started again. Ask again.`,
    fixes: ["Show Log"],
  }),
  notRunning: (): Failure => ({
    text: "Diffill: the server is not running.",
    fixes: ["Restart Server", "Show Log"],
  }),
};
