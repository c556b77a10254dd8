// Rewrite a selection: a strength, a live diff in which drafts are seen first, one text applied. Pins
// inside the selection stay.

import { type Range, type TextEditor, Range as VRange, window } from "vscode";
import type { Server } from "../server/server.ts";
import { between } from "../ui/between.ts";
import { type Asked, type Choice, type Version, chooseAndApply } from "../ui/chooser.ts";
import { draftedHoles } from "../ui/draftText.ts";
import { type Span, kept } from "../ui/edits.ts";
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
  const asked: Asked = { document, version: document.version, at };
  const old = document.getText(at);
  const whole = { start: document.offsetAt(at.start), end: document.offsetAt(at.end) };
  const rangeOf = ({ start, end }: Span): Range => new VRange(document.positionAt(start), document.positionAt(end));
  const pinned = kept(pins.spans(document), whole);
  const keep = pinned.map(rangeOf).map(toWire);
  const choices = STRENGTHS.map(
    ([strength, words]): Choice => ({
      label: strength.toFixed(1),
      description: words,
      title: `Rewrite, strength ${strength.toFixed(1)}`,
      versions: async (token, hear) => {
        const params = {
          textDocument: { uri: document.uri.toString(), version: asked.version },
          range: toWire(at),
          strength,
          ...(keep.length > 0 ? { keep } : {}),
        };
        const result = await server.ask<RewriteResult>(REWRITE, params, "rewrite a selection", token, (draft) =>
          hear(draftedHoles(draft).map(({ range, text }) => ({ range: fromWire(range), text }))),
        );
        if (result === undefined) return undefined;
        if (result.rewrites.length === 0) return result.reason ?? "nothing was found";
        const versions: Version[] = [];
        for (const { text, changed, parses } of result.rewrites) {
          const edits = between(whole, pinned, old, text);
          if (edits === undefined) {
            server.cannot("keep what is pinned");
            return undefined;
          }
          versions.push({
            edits: edits.map((edit) => ({ range: rangeOf(edit), text: edit.text })),
            summary: `changes ${percent(changed)}${parses ? "" : ", does not parse"}`,
          });
        }
        return versions;
      },
    }),
  );
  await chooseAndApply(asked, "Rewrite", choices, FIRST);
}
