// Notices that another window has put a new environment into the place of the one that serves here:
// when this window gets the focus, since nothing is asked of its server before. It costs a look at
// one folder.

import { type Disposable, type ExtensionContext, window } from "vscode";
import { ownFolder } from "./environment.ts";
import { stampOf } from "./replace.ts";

export function onRenewal(context: ExtensionContext, renewed: () => void): Disposable {
  const look = () => stampOf(ownFolder(context));
  let known = look();
  return window.onDidChangeWindowState(async ({ focused }) => {
    if (!focused) return;
    const before = known;
    known = look();
    if ((await before) !== (await known)) renewed();
  });
}
