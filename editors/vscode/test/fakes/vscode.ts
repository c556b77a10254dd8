// As much of the editor as the tests need: documents that change and close, one quick pick at a time,
// diffs that open and fail, decorations, context keys and messages that can be looked at.

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

export class Position {
  readonly line: number;
  readonly character: number;
  constructor(line: number, character: number) {
    this.line = line;
    this.character = character;
  }
}
export class Range {
  readonly start: Position;
  readonly end: Position;
  constructor(...ends: [Position, Position] | [number, number, number, number]) {
    const [start, end] = ends.length === 2 ? ends : [new Position(ends[0], ends[1]), new Position(ends[2], ends[3])];
    this.start = start;
    this.end = end;
  }
  get isEmpty(): boolean {
    return this.start.line === this.end.line && this.start.character === this.end.character;
  }
}
export class Selection extends Range {
  readonly active = this.end;
}

/** A file of lines. What is edited is told, the last edit first, as the editor does. */
export class Document {
  version = 1;
  isClosed = false;
  readonly languageId = "python";
  readonly fileName = "/a.py";
  readonly uri = { path: "/a.py", scheme: "file", toString: () => "file:///a.py" };
  #text: string;
  constructor(text: string) {
    this.#text = text;
  }
  getText(range?: Range): string {
    return range ? this.#text.slice(this.offsetAt(range.start), this.offsetAt(range.end)) : this.#text;
  }
  offsetAt({ line, character }: Position): number {
    const lines = this.#text.split("\n").slice(0, line);
    return lines.reduce((sum, one) => sum + one.length + 1, character);
  }
  positionAt(offset: number): Position {
    const lines = this.#text.slice(0, offset).split("\n");
    return new Position(lines.length - 1, lines.at(-1)?.length ?? 0);
  }
  lineAt(lineNumber: number): object {
    const text = this.#text.split("\n")[lineNumber] ?? "";
    return { text, lineNumber, firstNonWhitespaceCharacterIndex: text.search(/\S|$/) };
  }
  edit(...edits: [range: Range, text: string][]): void {
    const contentChanges = edits
      .map(([{ start, end }, text]) => ({ rangeOffset: this.offsetAt(start), rangeLength: this.offsetAt(end) - this.offsetAt(start), text }))
      .toSorted((a, b) => b.rangeOffset - a.rangeOffset || b.rangeLength - a.rangeLength);
    for (const { rangeOffset, rangeLength, text } of contentChanges)
      this.#text = this.#text.slice(0, rangeOffset) + text + this.#text.slice(rangeOffset + rangeLength);
    this.version++;
    changed.fire({ document: this, contentChanges });
  }
}

/** An editor of a document, with a cursor or a selection. */
export class Editor {
  readonly document: Document;
  selections: Selection[];
  viewColumn = 2;
  constructor(document: Document, ...selections: Selection[]) {
    this.document = document;
    this.selections = selections;
  }
  get selection(): Selection | undefined {
    return this.selections[0];
  }
  revealRange(): void {}
  setDecorations(): void {}
}

export class ThemeColor {}
export class TabInputTextDiff {}
export class WorkspaceEdit {
  readonly edits: [range: Range, text: string][] = [];
  replace(_uri: unknown, range: Range, text: string): void {
    this.edits.push([range, text]);
  }
}
export const Uri = { from: (parts: object) => ({ ...parts, toString: () => JSON.stringify(parts) }) };

class QuickPick {
  static open: QuickPick | undefined;
  items: { label: string; description?: string }[] = [];
  activeItems: unknown[] = [];
  title = "";
  placeholder: string | undefined = undefined;
  selectedItems: unknown[] = [];
  readonly pressed = new EventEmitter<{ item: unknown }>();
  readonly onDidTriggerItemButton = this.pressed.event;
  readonly #hidden = new EventEmitter<void>();
  readonly onDidHide = this.#hidden.event;
  readonly #accepted = new EventEmitter<void>();
  readonly onDidAccept = this.#accepted.event;
  readonly onDidChangeActive = new EventEmitter<unknown[]>().event;
  accept(): void {
    this.#accepted.fire();
  }
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

/** What was made, set and said, for the tests to look at. */
export const seen = { picks: [] as QuickPick[], context: {} as Record<string, unknown>, said: [] as string[], shown: [] as unknown[] };
export const changed = new EventEmitter<unknown>();
export const closed = new EventEmitter<unknown>();
/** What the editor does when it is asked to, as a test wants it. */
export const does = { diff: async (): Promise<void> => {}, apply: true };
/** The texts that were offered for the right side of a diff, and whether they still are. */
export const provided: { text: () => string; changed: EventEmitter<unknown>["event"]; disposed: boolean }[] = [];

const say = async (text: string): Promise<void> => void seen.said.push(text);
export const commands = {
  async executeCommand(name: string, key: string, value: unknown): Promise<void> {
    if (name === "setContext") seen.context[key] = value;
    if (name === "vscode.diff") await does.diff();
  },
};
export const window = {
  activeTextEditor: undefined as Editor | undefined,
  tabGroups: { all: [] },
  visibleTextEditors: [] as Editor[],
  async showTextDocument(_document: Document, options: unknown): Promise<Editor | undefined> {
    seen.shown.push(options);
    return window.activeTextEditor;
  },
  showInformationMessage: say,
  showWarningMessage: say,
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
  registerTextDocumentContentProvider(_scheme: string, provider: { onDidChange: EventEmitter<unknown>["event"]; provideTextDocumentContent: () => string }) {
    const one = { text: () => provider.provideTextDocumentContent(), changed: provider.onDidChange, disposed: false };
    provided.push(one);
    return { dispose: () => (one.disposed = true) };
  },
  async applyEdit({ edits }: WorkspaceEdit): Promise<boolean> {
    if (does.apply) window.activeTextEditor?.document.edit(...edits);
    return does.apply;
  },
};
export const languages = { match: () => 10 };
