// A live diff of a document against itself with edits applied. Nothing is edited; where no diff can
// be shown, that is said once, and everything else goes on.

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
  #opened: Promise<boolean> | undefined;

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
    this.#text = applyEdits(
      this.#document.getText(),
      edits.map(({ range, text }) => ({
        start: this.#document.offsetAt(range.start),
        end: this.#document.offsetAt(range.end),
        text,
      })),
    );
    this.#changed.fire(this.#uri);
    await (this.#opened ??= this.#open(at));
  }

  /** Close the diff. Whether there was one. */
  async close(): Promise<boolean> {
    const shown = (await this.#opened) ?? false;
    const tabs = window.tabGroups.all.flatMap((group) => group.tabs);
    const ours = tabs.filter(({ input }) => input instanceof TabInputTextDiff && input.modified.toString() === this.#uri.toString());
    // One that the person has closed meanwhile cannot be closed again.
    if (ours.length > 0) await Promise.resolve(window.tabGroups.close(ours)).catch(() => false);
    return shown;
  }

  /** Open the diff. Whether it is shown; where it cannot be, that is said. */
  async #open(at: Range): Promise<boolean> {
    const { fileName, uri } = this.#document;
    const begun = this.#text;
    const options = { preview: true, preserveFocus: true, selection: at };
    try {
      await commands.executeCommand("vscode.diff", uri, this.#uri, `Diffill: ${fileName.split(/[\\/]/).pop()}`, options);
    } catch (error) {
      const why = error instanceof Error ? error.message : error;
      void window.showWarningMessage(`Diffill: the diff cannot be shown (${why}). Enter still applies what is chosen, Escape leaves it.`);
      return false;
    }
    // The editor hears of no change of a document that it is still opening.
    if (this.#text !== begun) this.#changed.fire(this.#uri);
    return true;
  }

  dispose(): void {
    this.#provider.dispose();
    this.#changed.dispose();
  }
}
