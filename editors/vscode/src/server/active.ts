// The interpreters of active Python environments: what the Python extension says, if it is there,
// the shell's environment, and `.venv` in the folder. Only in trusted folders: an interpreter is
// a program.

import { join } from "node:path";
import { type Disposable, type Event, extensions, type Uri, workspace } from "vscode";
import { pythonIn } from "./locations.ts";
import { thisMachine } from "./environment.ts";
import { whileWanted } from "./patience.ts";

const PYTHON_MS = 5000; // the Python extension may be long in starting, or never be done

interface PythonApi {
  environments?: {
    getActiveEnvironmentPath(resource?: Uri): { path: string };
    resolveEnvironment(path: { path: string }): Promise<{ executable: { uri?: Uri } } | undefined>;
    onDidChangeActiveEnvironmentPath: Event<unknown>;
  };
}

async function pythonApi(): Promise<PythonApi["environments"]> {
  try {
    const api = await extensions.getExtension<PythonApi>("ms-python.python")?.activate();
    return api?.environments;
  } catch {
    return undefined; // another extension's failure must not be ours
  }
}

async function toldInterpreters(folder: Uri | undefined): Promise<string[]> {
  try {
    const environments = await pythonApi();
    const path = environments?.getActiveEnvironmentPath(folder);
    const told = path && (await environments?.resolveEnvironment(path))?.executable.uri?.fsPath;
    return told ? [told] : [];
  } catch {
    return []; // as above
  }
}

export async function activeInterpreters(): Promise<string[]> {
  if (!workspace.isTrusted) return [];
  const told = await whileWanted(toldInterpreters(workspace.workspaceFolders?.[0]?.uri), PYTHON_MS);
  const found = Array.isArray(told) ? told : [];
  if (process.env.VIRTUAL_ENV) found.push(pythonIn(process.env.VIRTUAL_ENV, thisMachine()));
  for (const { uri } of workspace.workspaceFolders ?? [])
    if (uri.scheme === "file") found.push(pythonIn(join(uri.fsPath, ".venv"), thisMachine()));
  return found;
}

/** Calls back when another environment becomes the active one, or is told later than was waited for. */
export async function onActiveChange(changed: () => void): Promise<Disposable | undefined> {
  const asked = pythonApi();
  const late = (await whileWanted(asked, PYTHON_MS)) === "late";
  const environments = await asked;
  if (environments && late) changed();
  return environments?.onDidChangeActiveEnvironmentPath(changed);
}
