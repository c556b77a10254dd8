// Where programs usually lie, and what a person means by a path. Pure: the environment comes in, paths
// come out, nothing is read.

import { posix, win32 } from "node:path";

export interface Machine {
  env: Record<string, string | undefined>;
  home: string;
  platform: string;
}

const paths = (machine: Machine) => (machine.platform === "win32" ? win32 : posix);
const exe = (machine: Machine, name: string) => (machine.platform === "win32" && !/\.exe$/i.test(name) ? `${name}.exe` : name);

/** A path as it was meant: `~/` is the home folder, as in a shell. */
export function writtenOut(path: string, machine: Machine): string {
  return /^~[\\/]/.test(path) ? paths(machine).join(machine.home, path.slice(2)) : path;
}

/** Where the program may be that a setting names: on PATH if it is a bare name; nowhere if it is half a path. */
export function programsNamed(name: string, machine: Machine): string[] {
  if (!/[\\/]/.test(name)) return onPath(name, machine);
  const path = writtenOut(name, machine);
  return paths(machine).isAbsolute(path) ? [path] : [];
}

/** The interpreter of a virtual environment. */
export function pythonIn(environment: string, machine: Machine): string {
  const { join } = paths(machine);
  return machine.platform === "win32"
    ? join(environment, "Scripts", "python.exe")
    : join(environment, "bin", "python");
}

/** Where `uv tool install diffill` and `pipx install diffill` put the command. */
export function toolLocations(machine: Machine): string[] {
  const { join } = paths(machine);
  const { env, home } = machine;
  const data = env.XDG_DATA_HOME ?? join(home, ".local", "share");
  const roots = [
    env.UV_TOOL_DIR ?? join(data, "uv", "tools"),
    join(env.PIPX_HOME ?? join(data, "pipx"), "venvs"),
  ];
  if (machine.platform === "win32" && env.APPDATA) roots.push(join(env.APPDATA, "uv", "tools"));
  const inside = machine.platform === "win32" ? "Scripts" : "bin";
  const shims = [env.UV_TOOL_BIN_DIR, env.PIPX_BIN_DIR, env.XDG_BIN_HOME, join(home, ".local", "bin")];
  return [
    ...shims.filter((folder) => folder !== undefined).map((folder) => join(folder, exe(machine, "diffill"))),
    ...roots.map((root) => join(root, "diffill", inside, exe(machine, "diffill"))),
  ];
}

/** Every place on PATH where a program of this name would be. */
export function onPath(name: string, machine: Machine): string[] {
  const { join, delimiter } = paths(machine);
  const path = machine.env.PATH ?? machine.env.Path ?? "";
  return path.split(delimiter).filter(Boolean).map((folder) => join(folder, exe(machine, name)));
}
