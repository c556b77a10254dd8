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

export async function activeInterpreters(): Promise<string[]> {
  if (!workspace.isTrusted) return [];
  const found: string[] = [];
  const folder = workspace.workspaceFolders?.[0];
  const environments = await pythonApi();
  if (environments) {
    const path = environments.getActiveEnvironmentPath(folder?.uri);
    const resolved = await environments.resolveEnvironment(path).catch(() => undefined);
    if (resolved?.executable.uri) found.push(resolved.executable.uri.fsPath);
  }
  if (process.env.VIRTUAL_ENV) found.push(pythonIn(process.env.VIRTUAL_ENV, thisMachine()));
  for (const { uri } of workspace.workspaceFolders ?? [])
    if (uri.scheme === "file") found.push(pythonIn(join(uri.fsPath, ".venv"), thisMachine()));
  return found;
}

/** Calls back when another environment becomes the active one. */
export async function onActiveChange(changed: () => void): Promise<Disposable | undefined> {
  return (await pythonApi())?.onDidChangeActiveEnvironmentPath(changed);
}
