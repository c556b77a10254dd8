// Rewrite a selection: a strength, a live diff, one text applied. With pins inside the selection,
// what lies around them is filled instead, and the pins stay.

import { type Range, type TextEditor, Range as VRange, window } from "vscode";
import type { Server } from "../server/server.ts";
import { chooseAndApply, type Choice } from "../ui/chooser.ts";
import { around } from "../ui/edits.ts";
import { REWRITE, type RewriteResult } from "../wire.ts";
import { fill } from "./fill.ts";
import type { Pins } from "./pins.ts";

const STRENGTHS: [number, string][] = [
  [0.1, "a touch"],
  [0.3, "some words"],
  [0.5, "about half"],
  [0.8, "most of it"],
  [1.0, "written anew"],
];
const FIRST = 1;
const percent = (share: number) => `${Math.round(share * 100)} %`;

/** The selection, or what the cursor's line holds. */
function target(editor: TextEditor): Range {
  if (!editor.selection.isEmpty) return editor.selection;
  const line = editor.document.lineAt(editor.selection.active.line);
  return new VRange(line.lineNumber, line.firstNonWhitespaceCharacterIndex, line.lineNumber, line.text.trimEnd().length);
}

export async function rewriteSelection(server: Server, pins: Pins): Promise<void> {
  const editor = window.activeTextEditor;
  if (editor === undefined) return;
  const { document } = editor;
  const at = target(editor);
  if (at.isEmpty) {
    void window.showInformationMessage("Diffill: select what is to be rewritten.");
    return;
  }
  const whole = { start: document.offsetAt(at.start), end: document.offsetAt(at.end) };
  const holes = around(whole, pins.spans(document));
  const untouched = holes.length === 1 && holes[0]?.start === whole.start && holes[0].end === whole.end;
  if (!untouched) {
    await fill(server, document, at, holes.map(({ start, end }) => new VRange(document.positionAt(start), document.positionAt(end))));
    return;
  }
  const choices = STRENGTHS.map(
    ([strength, words]): Choice => ({
      label: strength.toFixed(1),
      description: words,
      versions: async (token) => {
        const params = { textDocument: { uri: document.uri.toString() }, range: wire(at), strength };
        const result = await server.ask<RewriteResult>(REWRITE, params, "rewrite a selection", token);
        if (result === undefined) return "no answer";
        if (result.rewrites.length === 0) return result.reason ?? "nothing was found";
        return result.rewrites.map(({ text, changed, parses }) => ({
          edits: [{ range: at, text }],
          summary: `changes ${percent(changed)}${parses ? "" : ", does not parse"}`,
        }));
      },
    }),
  );
  await chooseAndApply(document, at, "Rewrite", choices, FIRST);
}

/** A range as plain data, as it goes over the wire. */
export const wire = ({ start, end }: Range) => ({
  start: { line: start.line, character: start.character },
  end: { line: end.line, character: end.character },
});
