// A hover on the line of a suggestion says how sure the model is of each of its parts. Ghost text
// itself cannot be coloured by an extension. Only where diffill.confidence.hover is on; asks the
// server at each hover, and keeps nothing.

import { type Disposable, Hover, MarkdownString, languages, window, workspace } from "vscode";
import { SELECTOR } from "../server/selector.ts";
import type { Server } from "../server/server.ts";
import { CONFIDENCE, type Confidence } from "../wire.ts";
import { shadedOf } from "./shades.ts";

export function confidenceHover(server: Server): Disposable {
  return languages.registerHoverProvider(SELECTOR, {
    async provideHover(document, position) {
      if (!workspace.getConfiguration("diffill").get("confidence.hover", false)) return undefined;
      if (window.activeTextEditor?.selection.active.line !== position.line) return undefined; // it is offered at the cursor
      const params = { textDocument: { uri: document.uri.toString() } };
      const answer = await server.peek<Confidence>(CONFIDENCE, params);
      const line = document.lineAt(position.line).text;
      const item = answer?.items.find(({ insertText }) => fits(line, insertText));
      const html = item && shadedOf(item);
      if (html === undefined) return undefined;
      const text = new MarkdownString(html);
      text.supportHtml = true;
      return new Hover(text);
    },
  });
}

/** Whether a line can become this text by what is typed into it: the suggestion is for this line. */
function fits(line: string, text: string): boolean {
  let kept = 0;
  while (kept < line.length && line[kept] === text[kept]) kept++;
  return text !== line && text.endsWith(line.slice(kept));
}
