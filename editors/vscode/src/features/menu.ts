// What the status item opens: the commands that make sense in this state.

import { commands, QuickPickItemKind, window } from "vscode";
import type { Server } from "../server/server.ts";

const RUNNING: [string, string][] = [
  ["$(circle-slash) Switch suggestions on or off", "diffill.toggleSuggestions"],
  ["$(clock) Snooze...", "diffill.snoozeSuggestions"],
  ["$(question) Explain the last suggestion", "diffill.explainLast"],
  ["$(flame) Tune on this repository...", "diffill.tune"],
  ["$(versions) Choose the model or tuning...", "diffill.selectModel"],
];
const ALWAYS: [string, string][] = [
  ["$(output) Show log", "diffill.showLog"],
  ["$(debug-restart) Restart server", "diffill.restartServer"],
  ["$(gear) Settings", "workbench.action.openSettings"],
  ["$(book) Walkthrough", "diffill.openWalkthrough"],
];

export async function openMenu(server: Server): Promise<void> {
  const item = ([label, command]: [string, string]) => ({ label, command, kind: QuickPickItemKind.Default });
  const running = server.life === "running";
  const items = running ? RUNNING.map(item) : [item(["$(add) Create an environment for the server", "diffill.createEnvironment"])];
  const picked = await window.showQuickPick([...items, ...ALWAYS.map(item)], { title: "Diffill" });
  if (picked === undefined) return;
  const args = picked.command === "workbench.action.openSettings" ? ["@ext:diffill.diffill"] : [];
  await commands.executeCommand(picked.command, ...args);
}
