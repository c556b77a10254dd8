// While a request fills holes, shows at each hole how far it is, in the colour of ghost text.
// Invariants: a draft is a decoration and never edits the document; once the request has ended,
// however it ended, was cancelled or its document has changed, nothing of it is drawn; one request
// at a time runs for a document.

import { CancellationTokenSource, type CancellationToken, type Disposable, type TextDocument, ThemeColor, commands, window, workspace } from "vscode";
import { draftedHoles, inOneLine } from "./draftText.ts";
import { fromWire } from "./ranges.ts";

const COLOR = new ThemeColor("editorGhostText.foreground");

export class Drafts implements Disposable {
  readonly #running = new Map<CancellationTokenSource, TextDocument>();

  /** Show what `ask` hears, for as long as it runs or until it is cancelled, as it is by the next one for this document. */
  async during<T>(document: TextDocument, ask: (hear: (draft: unknown) => void, token: CancellationToken) => Promise<T>): Promise<T> {
    this.cancel(document); // the server would answer it with a failure that is none to who asked again
    const begun = document.version;
    const look = window.createTextEditorDecorationType({}); // disposed of, it is gone from every editor
    const running = new CancellationTokenSource();
    let over = false;
    const end = () => {
      over = true;
      look.dispose();
    };
    const watching = [
      running.token.onCancellationRequested(end),
      workspace.onDidChangeTextDocument((event) => event.document === document && document.version !== begun && end()),
    ];
    const hear = (draft: unknown) => {
      if (over) return;
      const holes = draftedHoles(draft).map(({ range, text }) => ({
        range: fromWire(range),
        renderOptions: { after: { contentText: inOneLine(text), color: COLOR } },
      }));
      for (const editor of window.visibleTextEditors) if (editor.document === document) editor.setDecorations(look, holes);
    };
    this.#set(() => this.#running.set(running, document));
    try {
      return await ask(hear, running.token);
    } finally {
      end();
      for (const one of watching) one.dispose();
      this.#set(() => this.#running.delete(running));
    }
  }

  /** Cancel what is being filled, in this document or in all. */
  cancel(document?: TextDocument): void {
    for (const [one, where] of this.#running) if (document === undefined || where === document) one.cancel();
  }

  dispose(): void {
    this.cancel();
  }

  #set(change: () => void): void {
    change();
    void commands.executeCommand("setContext", "diffill.filling", this.#running.size > 0);
  }
}
