// What the server is told of the settings: the section `diffill` as it is set for the window, without
// what is the extension's own, and with what the open folders set of privacy.

import { workspace } from "vscode";
import { strictest } from "../privacy.ts";
import { forServer } from "../settings.ts";

/** `section`: as it was read for the window. */
export function told(section: unknown = workspace.getConfiguration("diffill")): Record<string, unknown> {
  const folders = (workspace.workspaceFolders ?? []).map(({ uri }) => workspace.getConfiguration("diffill", uri).get<unknown>("privacy"));
  const all = forServer(section, workspace.isTrusted);
  return { ...all, privacy: strictest(all.privacy, folders) };
}
