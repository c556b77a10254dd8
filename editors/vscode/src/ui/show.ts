// Shows a failure with its buttons, and does what is pressed.

import { commands, window } from "vscode";
import type { Failure, Fix } from "../messages.ts";

const DOES: Record<Fix, () => Thenable<unknown>> = {
  "Create Environment": () => commands.executeCommand("diffill.createEnvironment"),
  "Open Settings": () => commands.executeCommand("workbench.action.openSettings", "diffill.server"),
  "Show Log": () => commands.executeCommand("diffill.showLog"),
  "Restart Server": () => commands.executeCommand("diffill.restartServer"),
};

/** Show it; nobody needs to wait for the answer. */
export function show(failure: Failure): void {
  void window.showErrorMessage(failure.text, ...failure.fixes).then((fix) => fix && DOES[fix]());
}
