// Which server is to be run now: what the settings, this machine and the environment of our own come
// to. Fails with a `WrongSetting`.

import { type ExtensionContext, workspace } from "vscode";
import { textOf, textsOf } from "../settings.ts";
import { activeInterpreters } from "./active.ts";
import { ownFolder, thisMachine } from "./environment.ts";
import { type Search, commandLine, findServer } from "./find.ts";
import { pythonIn } from "./locations.ts";
import { probe } from "./processes.ts";
import { putBack, stampOf } from "./replace.ts";

export interface Looked {
  search: Search;
  /** What the settings add. */
  args: string[];
  /** Tells one server from another; undefined where there is none. */
  server: string | undefined;
}

export async function lookForServer(context: ExtensionContext): Promise<Looked> {
  const set = (name: string) => workspace.getConfiguration("diffill.server").get<unknown>(name);
  const args = textsOf("diffill.server.args", set("args"));
  const own = ownFolder(context);
  await putBack(own);
  const made = await stampOf(own);
  const search = await findServer(
    {
      path: textOf("diffill.server.path", set("path")),
      interpreter: textOf("diffill.server.interpreter", set("interpreter")),
      active: activeInterpreters,
      own: pythonIn(own, thisMachine()),
      machine: thisMachine(),
    },
    probe,
  );
  return { search, args, server: "found" in search ? commandLine(search.found, args, made) : undefined };
}
