// Wires the parts: the server's life, the status item, and the commands of package.json.

import { type ExtensionContext, type TextEditor, commands, window, workspace } from "vscode";
import { confidenceHover } from "./features/confidence.ts";
import { Explanation } from "./features/explain.ts";
import { BODY, LINES, fillMarked, writeLines } from "./features/fill.ts";
import { openMenu } from "./features/menu.ts";
import { snooze, staysQuiet, toggle } from "./features/pause.ts";
import { Pins } from "./features/pins.ts";
import { rewriteSelection } from "./features/rewrite.ts";
import { Tuning } from "./features/tune.ts";
import { onActiveChange } from "./server/active.ts";
import { createEnvironment, oneAtATime } from "./server/environment.ts";
import { onRenewal } from "./server/renewal.ts";
import { Server } from "./server/server.ts";
import { turnVersion } from "./ui/chooser.ts";
import { Drafts } from "./ui/drafts.ts";
import { activeEditor } from "./ui/served.ts";
import { statusItem } from "./ui/statusItem.ts";

let server: Server | undefined;

export function activate(context: ExtensionContext): void {
  const log = window.createOutputChannel("Diffill", { log: true });
  const running = (server = new Server(context, log));
  const pins = new Pins();
  const drafts = new Drafts();
  const explanation = new Explanation(running);
  const tuning = new Tuning(running);
  context.subscriptions.push(log, pins, drafts, explanation, tuning, confidenceHover(running), ...staysQuiet(running), ...statusItem(running));

  const suggest = (name: string) => () => commands.executeCommand(`editor.action.inlineSuggest.${name}`);
  const register = (name: string, does: () => unknown) =>
    context.subscriptions.push(commands.registerCommand(`diffill.${name}`, does));
  register("trigger", suggest("trigger"));
  register("nextAlternative", suggest("showNext"));
  register("previousAlternative", suggest("showPrevious"));
  register("acceptWord", suggest("acceptNextWord"));
  register("acceptLine", suggest("acceptNextLine"));
  register("rewriteSelection", () => rewriteSelection(running, pins));
  register("fillHoles", () => fillMarked(running, drafts));
  register("bridge", () => writeLines(running, drafts, LINES));
  register("fromComment", () => writeLines(running, drafts, BODY));
  register("cancelFill", () => drafts.cancel());
  const inEditor = (does: (editor: TextEditor) => void) => () => {
    const editor = activeEditor();
    if (editor) does(editor);
  };
  register("pinSelection", inEditor((editor) => pins.toggle(editor)));
  register("clearPins", inEditor(({ document }) => pins.clear(document)));
  register("chooser.next", () => turnVersion(1));
  register("chooser.previous", () => turnVersion(-1));
  register("tune", () => tuning.plan());
  register("tuneControl", () => tuning.control());
  register("selectModel", () => tuning.selectModel());
  register("toggleSuggestions", () => toggle(running));
  register("snoozeSuggestions", () => snooze(running));
  register("explainLast", () => explanation.show());
  register("showLog", () => log.show());
  register("restartServer", () => running.restart());
  const environment = oneAtATime(async () => {
    if (await createEnvironment(context, log, () => running.stop())) await running.restart();
  });
  register("createEnvironment", environment);
  register("openWalkthrough", () =>
    commands.executeCommand("workbench.action.openWalkthrough", `${context.extension.id}#start`),
  );
  register("menu", () => openMenu(running));

  context.subscriptions.push(
    workspace.onDidChangeConfiguration((event) => {
      if (event.affectsConfiguration("diffill.server")) void running.reconsider();
    }),
    workspace.onDidGrantWorkspaceTrust(() => void running.restart()),
    onRenewal(context, () => void running.reconsider()),
  );
  void onActiveChange(() => void running.reconsider()).then((watching) => watching && context.subscriptions.push(watching));
  void running.restart(); // until this function is done, the editor keeps commands waiting
}

export async function deactivate(): Promise<void> {
  await server?.stop();
}
