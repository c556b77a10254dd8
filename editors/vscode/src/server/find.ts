// Which server to start, in this order: the settings, the environment that this extension made as
// somebody asked for it, the active Python environment, what `uv tool` or `pipx` installed, PATH. A
// setting that does not lead to a server is an error and not passed over. Pure but for the probe.

import { onPath, programsNamed, toolLocations, type Machine } from "./locations.ts";
import { isTooOld } from "./version.ts";

const OLDEST_PYTHON = "3.11";
const OWN = "the environment made by this extension";

export interface Probe {
  /** Whether there is a program, which a folder is not. */
  exists(path: string): Promise<boolean>;
  /** Whether this interpreter can run the server. */
  hasServer(python: string): Promise<boolean>;
  /** The version of an interpreter, undefined if it is none. */
  version(python: string): Promise<string | undefined>;
}

export interface Wanted {
  path: string;
  interpreter: string;
  /** Interpreters of active environments, best first; who knows them may take a while to say so. */
  active: () => Promise<string[]>;
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
  | typeof OWN;

export interface Found {
  command: string;
  args: string[];
  source: Source;
}

export type Search = { found: Found } | { problem: string; setting?: string };

/** A path as a shell takes it for one word. */
export const quoted = (path: string): string => (/^[\w/\\.:~+-]+$/.test(path) ? path : `"${path}"`);

/** All that is run, to tell one server from another; `made` tells one environment of our own from another. */
export const commandLine = ({ command, args, source }: Found, extra: string[], made: string): string =>
  JSON.stringify([command, args, extra, source === OWN && made]);

const program = (command: string, source: Source): Found => ({ command, args: ["serve"], source });

// -P: the folder the server is started in must not be able to put modules in the way.
const module = (python: string, source: Source): Found => ({
  command: python,
  args: ["-P", "-m", "lsp_server", "serve"],
  source,
});

const isName = (setting: string) => !/[\\/]/.test(setting);

/** The program that a setting names, undefined if there is none. */
async function programNamed(setting: string, machine: Machine, probe: Probe): Promise<string | undefined> {
  for (const place of programsNamed(setting, machine)) if (await probe.exists(place)) return place;
  return undefined;
}

const noProgram = (setting: string, value: string, example: string): string =>
  `${setting} is ${value}, and there is no such program${isName(value) ? " on PATH" : ""}. ` +
  `Write the full path of a program (not of its folder), such as ${example}, or a name that is on PATH.`;

/** What is wrong with the interpreter of the settings, and what to do about it. */
async function whyNot(python: string, probe: Probe): Promise<string> {
  const version = await probe.version(python);
  if (version === undefined) return `diffill.server.interpreter is ${python}, which does not run as a Python. Name a Python ${OLDEST_PYTHON} or newer.`;
  if (isTooOld(version, OLDEST_PYTHON))
    return `The Python of diffill.server.interpreter (${python}) is version ${version}, and Diffill needs ${OLDEST_PYTHON} or newer. Name another one.`;
  return `The Python of diffill.server.interpreter (${python}) has no Diffill. Name the .venv/bin/python of a checkout (after "make setup" there), or install the checkout: ${quoted(python)} -m pip install /path/to/checkout`;
}

export async function findServer(wanted: Wanted, probe: Probe): Promise<Search> {
  if (wanted.path) {
    const setting = "diffill.server.path";
    const place = await programNamed(wanted.path, wanted.machine, probe);
    if (place !== undefined) return { found: program(place, setting) };
    return { problem: noProgram(setting, wanted.path, "/path/to/checkout/.venv/bin/diffill"), setting };
  }
  if (wanted.interpreter) {
    const setting = "diffill.server.interpreter";
    const python = await programNamed(wanted.interpreter, wanted.machine, probe);
    if (python === undefined) return { problem: noProgram(setting, wanted.interpreter, "/path/to/checkout/.venv/bin/python"), setting };
    if (await probe.hasServer(python)) return { found: module(python, setting) };
    return { problem: await whyNot(python, probe), setting };
  }
  if (wanted.own && (await probe.hasServer(wanted.own)))
    return { found: module(wanted.own, OWN) };
  for (const python of await wanted.active())
    if (await probe.hasServer(python)) return { found: module(python, "the active Python environment") };
  for (const place of toolLocations(wanted.machine))
    if (await probe.exists(place)) return { found: program(place, "uv tool or pipx") };
  for (const place of onPath("diffill", wanted.machine))
    if (await probe.exists(place)) return { found: program(place, "PATH") };
  return { problem: "No Diffill server was found on this machine." };
}
