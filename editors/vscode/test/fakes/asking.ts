// As much of the editor as is needed to ask a person and to be answered: questions and messages that can
// be looked at, answers and settings that a test chooses.

import { window as editor } from "./vscode.ts";

export { EventEmitter } from "./vscode.ts";

export const ProgressLocation = { Notification: 15 };
export const ConfigurationTarget = { Global: 1 };
export class ThemeIcon {}

/** What a test chooses. */
export const says = {
  settings: {} as Record<string, unknown>,
  /** What folders set for themselves, by their paths. */
  ofFolders: {} as Record<string, Record<string, unknown>>,
  folders: [] as string[],
  picks: [] as string[],
  file: undefined as string | undefined,
  press: undefined as string | undefined,
  python: undefined as { activate(): Promise<unknown> } | undefined,
};
/** What a person saw. */
export const seen = { messages: [] as string[], asked: [] as string[], progress: [] as string[], executed: [] as unknown[][] };
export const token = { isCancellationRequested: false, onCancellationRequested: () => ({ dispose() {} }) };

const say = async (text: string, options?: unknown): Promise<string | undefined> => {
  const { detail } = (typeof options === "object" ? options : {}) as { detail?: string };
  seen.messages.push(detail === undefined ? text : `${text}\n${detail}`);
  return says.press;
};
export const window = {
  showInformationMessage: say,
  showWarningMessage: say,
  showErrorMessage: say,
  async showQuickPick(items: (string | { label: string })[], { title }: { title: string }): Promise<unknown> {
    seen.asked.push(title);
    return items.find((item) => says.picks.includes(typeof item === "string" ? item : item.label));
  },
  createQuickPick: editor.createQuickPick,
  showOpenDialog: async () => (says.file === undefined ? undefined : [{ fsPath: says.file }]),
  withProgress<T>({ title }: { title: string }, work: (progress: { report(): void }, cancel: typeof token) => Promise<T>): Promise<T> {
    seen.progress.push(title);
    return work({ report() {} }, token);
  },
};
export const workspace = {
  isTrusted: true,
  get workspaceFolders() {
    return says.folders.map((fsPath) => ({ name: fsPath.slice(1), uri: { fsPath, scheme: "file" } }));
  },
  getConfiguration: (section?: string, folder?: { fsPath: string }) => ({
    get(name: string): unknown {
      const whole = section === undefined ? name : `${section}.${name}`;
      return { ...says.settings, ...says.ofFolders[folder?.fsPath ?? ""] }[whole];
    },
    update: async (name: string, value: unknown) => void (says.settings[name] = value),
  }),
};
export const commands = { executeCommand: async (...command: unknown[]) => void seen.executed.push(command) };
export const extensions = { getExtension: () => says.python };
