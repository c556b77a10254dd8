// Which server to start, in this order: the settings, the active Python environment, what
// `uv tool` or `pipx` installed, PATH, the environment that this extension made. A setting that
// does not lead to a server is an error and not passed over. Pure but for the probe.

import { onPath, toolLocations, type Machine } from "./locations.ts";
import { isTooOld } from "./version.ts";

const OLDEST_PYTHON = "3.11";

export interface Probe {
  exists(path: string): Promise<boolean>;
  /** Whether this interpreter can run the server. */
  hasServer(python: string): Promise<boolean>;
  /** The version of an interpreter, undefined if it is none. */
  version(python: string): Promise<string | undefined>;
}

export interface Wanted {
  path: string;
  interpreter: string;
  /** Interpreters of active environments, best first. */
  active: string[];
  /** The interpreter of the environment that this extension made, if it made one. */
  own: string;
  machine: Machine;
}

export type Source =
  | "diffill.server.path"
  | "diffill.server.interpreter"
  | "the active Python environment"
  | "uv tool or pipx"
  | "PATH"
  | "the environment made by this extension";

export interface Found {
  command: string;
  args: string[];
  source: Source;
}

export type Search = { found: Found } | { problem: string; setting?: string };

/** All that is run, to tell one server from another. */
export const commandLine = ({ command, args }: Found, extra: string[]): string => JSON.stringify([command, ...args, ...extra]);

const program = (command: string, source: Source): Found => ({ command, args: ["serve"], source });

// -P: the folder the server is started in must not be able to put modules in the way.
const module = (python: string, source: Source): Found => ({
  command: python,
  args: ["-P", "-m", "lsp_server", "serve"],
  source,
});

/** What is wrong with the interpreter of the settings, and what to do about it. */
async function whyNot(python: string, probe: Probe): Promise<string> {
  if (!(await probe.exists(python))) return `diffill.server.interpreter is ${python}, and there is no such program.`;
  const version = await probe.version(python);
  if (version === undefined) return `diffill.server.interpreter is ${python}, which does not run as a Python. Name a Python ${OLDEST_PYTHON} or newer.`;
  if (isTooOld(version, OLDEST_PYTHON))
    return `The Python of diffill.server.interpreter (${python}) is version ${version}, and Diffill needs ${OLDEST_PYTHON} or newer. Name another one.`;
  return `The Python of diffill.server.interpreter (${python}) has no Diffill. Install it there with "pip install diffill".`;
}

export async function findServer(wanted: Wanted, probe: Probe): Promise<Search> {
  if (wanted.path) {
    const isName = !/[\\/]/.test(wanted.path);
    for (const place of isName ? onPath(wanted.path, wanted.machine) : [wanted.path])
      if (await probe.exists(place)) return { found: program(place, "diffill.server.path") };
    return {
      problem: `diffill.server.path is ${wanted.path}, and there is no such program${isName ? " on PATH" : ""}.`,
      setting: "diffill.server.path",
    };
  }
  if (wanted.interpreter) {
    if (await probe.hasServer(wanted.interpreter))
      return { found: module(wanted.interpreter, "diffill.server.interpreter") };
    return { problem: await whyNot(wanted.interpreter, probe), setting: "diffill.server.interpreter" };
  }
  for (const python of wanted.active)
    if (await probe.hasServer(python)) return { found: module(python, "the active Python environment") };
  for (const place of toolLocations(wanted.machine))
    if (await probe.exists(place)) return { found: program(place, "uv tool or pipx") };
  for (const place of onPath("diffill", wanted.machine))
    if (await probe.exists(place)) return { found: program(place, "PATH") };
  if (wanted.own && (await probe.hasServer(wanted.own)))
    return { found: module(wanted.own, "the environment made by this extension") };
  return { problem: "No Diffill server was found on this machine." };
}
