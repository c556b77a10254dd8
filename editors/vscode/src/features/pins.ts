// Pins: ranges that a rewrite keeps as they are. They move with the text, and one that is edited
// is gone. They are there as long as their document is open.

import { type Disposable, type Range, type TextDocument, type TextEditor, Range as VRange, ThemeColor, window, workspace } from "vscode";
import { moved, type Span } from "../ui/edits.ts";

export class Pins implements Disposable {
  readonly #pins = new Map<string, Span[]>();
  readonly #look = window.createTextEditorDecorationType({
    backgroundColor: new ThemeColor("editor.wordHighlightStrongBackground"),
    border: "1px dotted",
    borderColor: new ThemeColor("editorBracketMatch.border"),
    overviewRulerColor: new ThemeColor("editorBracketMatch.border"),
  });
  readonly #watching = [
    workspace.onDidChangeTextDocument(({ document, contentChanges }) => {
      let pins = this.spans(document);
      if (pins.length === 0) return;
      for (const change of contentChanges)
        pins = moved(pins, { start: change.rangeOffset, end: change.rangeOffset + change.rangeLength, text: change.text });
      this.#set(document, pins);
    }),
    // A document that gets another language is closed and opened, too.
    workspace.onDidCloseTextDocument((document) => setImmediate(() => document.isClosed && this.#pins.delete(document.uri.toString()))),
    window.onDidChangeVisibleTextEditors((editors) => editors.forEach((editor) => this.#draw(editor))),
  ];

  spans(document: TextDocument): Span[] {
    return this.#pins.get(document.uri.toString()) ?? [];
  }

  /** Pin every selection; where one lies inside a pin already, remove that pin. */
  toggle(editor: TextEditor): void {
    const { document } = editor;
    let pins = this.spans(document);
    for (const selection of editor.selections) {
      const span = { start: document.offsetAt(selection.start), end: document.offsetAt(selection.end) };
      const others = pins.filter((pin) => span.start < pin.start || span.end > pin.end);
      if (others.length < pins.length) pins = others;
      else if (span.start < span.end) pins = [...pins, span];
      else void window.showInformationMessage("Diffill: select what is to be kept, then pin it.");
    }
    this.#set(document, pins);
  }

  clear(document: TextDocument): void {
    this.#set(document, []);
  }

  dispose(): void {
    this.#look.dispose();
    for (const one of this.#watching) one.dispose();
  }

  #set(document: TextDocument, pins: Span[]): void {
    this.#pins.set(document.uri.toString(), pins);
    for (const editor of window.visibleTextEditors) if (editor.document === document) this.#draw(editor);
  }

  #draw(editor: TextEditor): void {
    const { document } = editor;
    const range = ({ start, end }: Span): Range => new VRange(document.positionAt(start), document.positionAt(end));
    editor.setDecorations(this.#look, this.spans(document).map(range));
  }
}
