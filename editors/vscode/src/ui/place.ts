// Where the person is in a document: the column and the selections of its editor, to be there again
// after something else was shown in its place. An editor that cannot be shown is left alone: what
// was chosen must not be lost for that.

import { Range, Selection, type TextDocument, type TextEditor, type ViewColumn, window } from "vscode";

export class Place {
  readonly #document: TextDocument;
  readonly #column: ViewColumn | undefined;
  readonly #selections: readonly Selection[] | undefined;

  constructor(document: TextDocument) {
    const editor = [window.activeTextEditor, ...window.visibleTextEditors].find((one) => one?.document === document);
    this.#document = document;
    this.#column = editor?.viewColumn;
    this.#selections = editor?.selections;
  }

  /** Show the document as it was shown, if it was. */
  async restore(): Promise<void> {
    if (this.#selections === undefined) return;
    const editor = await this.#show();
    if (editor) editor.selections = this.#selections;
  }

  /** Show the document, with nothing but a cursor, so many characters before its end. */
  async goTo(beforeEnd: number): Promise<void> {
    const editor = await this.#show();
    if (editor === undefined) return;
    const { document } = editor; // another object, if it was closed and opened with its editor
    const cursor = document.positionAt(document.getText().length - beforeEnd);
    editor.selections = [new Selection(cursor, cursor)];
    editor.revealRange(new Range(cursor, cursor));
  }

  async #show(): Promise<TextEditor | undefined> {
    return window.showTextDocument(this.#document, { viewColumn: this.#column }).then(
      (editor) => editor,
      () => undefined,
    );
  }
}
