// Fill several holes together: those marked ___ in the document. The answers are shown as a diff,
// and one is applied as one edit.

import { Range, window } from "vscode";
import type { Server } from "../server/server.ts";
import { chooseAndApply, type Choice } from "../ui/chooser.ts";
import { FILL } from "../wire.ts";
import { fillsOf } from "./fillAnswer.ts";

const MARKER = "___";
const ALTERNATIVES = 3;

/** Fill every ___ in the active document. */
export async function fillMarked(server: Server): Promise<void> {
  const document = window.activeTextEditor?.document;
  if (document === undefined) return;
  const first = document.getText().indexOf(MARKER);
  if (first < 0) {
    void window.showInformationMessage(`Diffill: write ${MARKER} wherever something is missing, then fill the holes.`);
    return;
  }
  const at = new Range(document.positionAt(first), document.positionAt(first + MARKER.length));
  const params = { textDocument: { uri: document.uri.toString() }, marker: MARKER, n: ALTERNATIVES };
  const answer = await server.ask<unknown>(FILL, params, "fill several holes");
  if (answer === undefined) return;
  const { fills, reason } = fillsOf(answer);
  if (fills.length === 0) {
    void window.showInformationMessage(`Diffill: ${reason ?? "nothing was found for these holes"}.`);
    return;
  }
  const range = (edit: (typeof fills)[number]["edits"][number]) =>
    new Range(edit.range.start.line, edit.range.start.character, edit.range.end.line, edit.range.end.character);
  const choices = fills.map(
    ({ edits, score }): Choice => ({
      label: edits.map((edit) => edit.newText.trim().replaceAll(/\s+/g, " ")).join("  |  "),
      description: score === undefined ? undefined : score.toFixed(2),
      versions: async () => [
        { edits: edits.map((edit) => ({ range: range(edit), text: edit.newText })), summary: `${edits.length} holes` },
      ],
    }),
  );
  await chooseAndApply(document, at, "Fill", choices);
}
