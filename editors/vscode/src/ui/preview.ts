// A live diff of a document against itself with edits applied. Nothing is edited; the diff closes
// with the preview.

import { type Disposable, EventEmitter, type Range, type TextDocument, TabInputTextDiff, Uri, commands, window, workspace } from "vscode";
import { applyEdits, type Edit } from "./edits.ts";

const SCHEME = "diffill-preview";
let count = 0;

export class Preview implements Disposable {
  readonly #document: TextDocument;
  readonly #changed = new EventEmitter<Uri>();
  readonly #uri: Uri;
  readonly #provider: Disposable;
  #text: string;
  #opened: Promise<unknown> | undefined;

  constructor(document: TextDocument) {
    this.#document = document;
    this.#text = document.getText();
    // The document's own path, so that the language is right; the number, so that no old text shows.
    this.#uri = Uri.from({ scheme: SCHEME, path: document.uri.path, query: String(++count) });
    this.#provider = workspace.registerTextDocumentContentProvider(SCHEME, {
      onDidChange: this.#changed.event,
      provideTextDocumentContent: () => this.#text,
    });
  }

  /** Show what these edits would make of the document. */
  async show(edits: Edit[], at: Range): Promise<void> {
    const { fileName } = this.#document;
    this.#text = applyEdits(
      this.#document.getText(),
      edits.map(({ range, text }) => ({
        start: this.#document.offsetAt(range.start),
        end: this.#document.offsetAt(range.end),
        text,
      })),
    );
    this.#changed.fire(this.#uri);
    this.#opened ??= Promise.resolve(
      commands.executeCommand("vscode.diff", this.#document.uri, this.#uri, `Diffill: ${fileName.split(/[\\/]/).pop()}`, {
        preview: true,
        preserveFocus: true,
        selection: at,
      }),
    );
    await this.#opened;
  }

  /** Close the diff. Whether there was one. */
  async close(): Promise<boolean> {
    await this.#opened;
    const tabs = window.tabGroups.all.flatMap((group) => group.tabs);
    const ours = tabs.filter(({ input }) => input instanceof TabInputTextDiff && input.modified.toString() === this.#uri.toString());
    if (ours.length > 0) await window.tabGroups.close(ours);
    this.dispose();
    return this.#opened !== undefined;
  }

  dispose(): void {
    this.#provider.dispose();
    this.#changed.dispose();
  }
}
