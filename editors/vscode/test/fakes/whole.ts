// As much of the editor as the extension needs to be activated: what asks, and around it what draws
// and listens. The commands that were registered can be run.

import { seen as asked, commands as asking, window as dialogs, workspace as folders } from "./asking.ts";
import { EventEmitter, Uri as uris, window as editor, workspace as documents } from "./vscode.ts";

export { ConfigurationTarget, ProgressLocation, ThemeIcon, extensions } from "./asking.ts";
export * from "./vscode.ts";

export const StatusBarAlignment = { Right: 2 };
export const QuickPickItemKind = { Separator: -1 };
export class Hover {}
export class MarkdownString {}

const quiet = (): void => {};
const never = new EventEmitter<unknown>().event;
/** This window gets the focus, or loses it. */
export const focus = new EventEmitter<{ focused: boolean }>();
/** The commands of the extension. */
export const registered = new Map<string, () => unknown>();
/** The item at the bottom, as it is drawn. */
export const item = { text: "", show: quiet, dispose: quiet };
export const seen = asked;

export const Uri = { ...uris, parse: (text: string) => ({ toString: () => text }) };
export const languages = { registerHoverProvider: () => ({ dispose: quiet }) };
export const commands = {
  ...asking,
  registerCommand: (name: string, does: () => unknown) => (registered.set(name, does), { dispose: quiet }),
};
export const window = {
  ...editor,
  ...dialogs,
  createOutputChannel: () => ({ info: quiet, warn: quiet, error: quiet, show: quiet, dispose: quiet }),
  createStatusBarItem: () => item,
  onDidChangeWindowState: focus.event,
};
export const workspace = {
  ...documents,
  ...folders,
  onDidChangeConfiguration: never,
  onDidGrantWorkspaceTrust: never,
};
