// The interpreters of active Python environments: what the Python extension says, if it is there,
// the shell's environment, and `.venv` in the folder. Only in trusted folders: an interpreter is
// a program.

import { join } from "node:path";
import { type Disposable, type Event, extensions, type Uri, workspace } from "vscode";
import { pythonIn } from "./locations.ts";
import { thisMachine } from "./environment.ts";

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

async function toldInterpreter(folder: Uri | undefined): Promise<string | undefined> {
  try {
    const environments = await pythonApi();
    const path = environments?.getActiveEnvironmentPath(folder);
    return path && (await environments?.resolveEnvironment(path))?.executable.uri?.fsPath;
  } catch {
    return undefined; // as above
  }
}

export async function activeInterpreters(): Promise<string[]> {
  if (!workspace.isTrusted) return [];
  const found: string[] = [];
  const told = await toldInterpreter(workspace.workspaceFolders?.[0]?.uri);
  if (told !== undefined) found.push(told);
  if (process.env.VIRTUAL_ENV) found.push(pythonIn(process.env.VIRTUAL_ENV, thisMachine()));
  for (const { uri } of workspace.workspaceFolders ?? [])
    if (uri.scheme === "file") found.push(pythonIn(join(uri.fsPath, ".venv"), thisMachine()));
  return found;
}

/** Calls back when another environment becomes the active one. */
export async function onActiveChange(changed: () => void): Promise<Disposable | undefined> {
  return (await pythonApi())?.onDidChangeActiveEnvironmentPath(changed);
}
