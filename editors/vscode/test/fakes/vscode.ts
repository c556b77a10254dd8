// As much of the editor as the tests need: documents that change and close, one quick pick at a time,
// decorations and context keys that can be looked at.

type Listener<T> = (event: T) => unknown;

export class EventEmitter<T> {
  readonly #listeners = new Set<Listener<T>>();
  readonly event = (listener: Listener<T>): { dispose(): void } => {
    this.#listeners.add(listener);
    return { dispose: () => this.#listeners.delete(listener) };
  };
  fire(event: T): void {
    for (const listener of [...this.#listeners]) listener(event);
  }
  dispose(): void {}
}

export class CancellationTokenSource {
  readonly #cancelled = new EventEmitter<void>();
  readonly token = { isCancellationRequested: false, onCancellationRequested: this.#cancelled.event };
  cancel(): void {
    this.token.isCancellationRequested = true;
    this.#cancelled.fire();
  }
}

export class Range {
  readonly start: unknown;
  readonly end: unknown;
  constructor(start: unknown, end: unknown) {
    this.start = start;
    this.end = end;
  }
}
export class ThemeColor {}
export class TabInputTextDiff {}
export class WorkspaceEdit {
  replace(): void {}
}
export const Uri = { from: (parts: object) => ({ ...parts, toString: () => JSON.stringify(parts) }) };

class QuickPick {
  static open: QuickPick | undefined;
  items: unknown[] = [];
  activeItems: unknown[] = [];
  title = "";
  readonly #hidden = new EventEmitter<void>();
  readonly onDidHide = this.#hidden.event;
  readonly onDidAccept = new EventEmitter<void>().event;
  readonly onDidChangeActive = new EventEmitter<unknown[]>().event;
  show(): void {
    QuickPick.open?.hide();
    QuickPick.open = this;
  }
  hide(): void {
    if (QuickPick.open !== this) return;
    QuickPick.open = undefined;
    this.#hidden.fire();
  }
  dispose(): void {
    this.hide();
  }
}

/** What was made and set, for the tests to look at. */
export const seen = { picks: [] as QuickPick[], context: {} as Record<string, unknown> };
export const changed = new EventEmitter<unknown>();
export const closed = new EventEmitter<unknown>();

export const commands = {
  async executeCommand(name: string, key: string, value: unknown): Promise<void> {
    if (name === "setContext") seen.context[key] = value;
  },
};
export const window = {
  tabGroups: { all: [] },
  visibleTextEditors: [],
  showTextDocument: async () => {},
  createTextEditorDecorationType: () => ({ dispose() {} }),
  onDidChangeVisibleTextEditors: new EventEmitter<unknown[]>().event,
  createQuickPick(): QuickPick {
    const pick = new QuickPick();
    seen.picks.push(pick);
    return pick;
  },
};
export const workspace = {
  onDidChangeTextDocument: changed.event,
  onDidCloseTextDocument: closed.event,
  registerTextDocumentContentProvider: () => ({ dispose() {} }),
};
