// Every failure that a person sees: what happened, and the buttons that mend it.

import { OLDEST_SERVER } from "./server/version.ts";

export type Fix = "Create Environment" | "Open Settings" | "Show Log" | "Restart Server";

export interface Failure {
  text: string;
  fixes: Fix[];
}

export const failures = {
  noServer: (problem: string, setting?: string): Failure => ({
    text: setting
      ? `Diffill: ${problem}`
      : `Diffill: ${problem} It can make a Python environment of its own, or you name one in the settings.`,
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
  environmentFailed: (step: string, lastLine: string): Failure => ({
    text: `Diffill: the environment could not be made: ${step} failed: ${lastLine}. The log has all of it.`,
    fixes: ["Show Log", "Create Environment"],
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
  tooOld: (version: string, source: string): Failure => ({
    text: `Diffill: the server from ${source} is version ${version}, this extension needs ${OLDEST_SERVER} or newer. Update it with "pip install --upgrade diffill" and restart it.`,
    fixes: ["Restart Server", "Open Settings"],
  }),
  cannot: (what: string, version: string): Failure => ({
    text: `Diffill: this server${version ? ` (${version})` : ""} is too old to ${what}. Update it with "pip install --upgrade diffill" and restart it.`,
    fixes: ["Restart Server"],
  }),
  notRunning: (): Failure => ({
    text: "Diffill: the server is not running.",
    fixes: ["Restart Server", "Show Log"],
  }),
};
