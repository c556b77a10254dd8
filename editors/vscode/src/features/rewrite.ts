// Rewrite a selection: a strength, a live diff in which drafts are seen first, one text applied. Pins
// inside the selection stay.

import { type Range, type TextEditor, Range as VRange, window } from "vscode";
import type { Server } from "../server/server.ts";
import { chooseAndApply, type Choice } from "../ui/chooser.ts";
import { holds, kept } from "../ui/edits.ts";
import { draftedHoles } from "../ui/draftText.ts";
import { fromWire, toWire } from "../ui/ranges.ts";
import { servedEditor } from "../ui/served.ts";
import { REWRITE, type RewriteResult } from "../wire.ts";
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
  const editor = servedEditor();
  if (editor === undefined) return;
  const { document } = editor;
  const at = target(editor);
  if (at.isEmpty) {
    void window.showInformationMessage("Diffill: select what is to be rewritten.");
    return;
  }
  const whole = { start: document.offsetAt(at.start), end: document.offsetAt(at.end) };
  const pinned = kept(pins.spans(document), whole).map(({ start, end }) => new VRange(document.positionAt(start), document.positionAt(end)));
  const keep = pinned.map(toWire);
  const texts = pinned.map((range) => document.getText(range));
  const choices = STRENGTHS.map(
    ([strength, words]): Choice => ({
      label: strength.toFixed(1),
      description: words,
      title: `Rewrite, strength ${strength.toFixed(1)}`,
      versions: async (token, hear) => {
        const params = {
          textDocument: { uri: document.uri.toString() },
          range: toWire(at),
          strength,
          ...(keep.length > 0 ? { keep } : {}),
        };
        const result = await server.ask<RewriteResult>(REWRITE, params, "rewrite a selection", token, (draft) =>
          hear(draftedHoles(draft).map(({ range, text }) => ({ range: fromWire(range), text }))),
        );
        if (result === undefined) return undefined;
        if (!result.rewrites.every(({ text }) => holds(text, texts))) {
          server.cannot("keep what is pinned");
          return undefined;
        }
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
