// Fill several holes together, those marked ___ in the document; or write lines where the cursor is.
// Drafts are shown while the model works, then the answers as a diff; one is applied as one edit.

import { Range, type TextDocument, window } from "vscode";
import type { Server } from "../server/server.ts";
import { type Asked, type Choice, chooseAndApply, unchanged } from "../ui/chooser.ts";
import type { Drafts } from "../ui/drafts.ts";
import { fromWire } from "../ui/ranges.ts";
import { servedEditor } from "../ui/served.ts";
import { BRIDGE, FILL, FROM_COMMENT } from "../wire.ts";
import { fillsOf } from "./fillAnswer.ts";

const MARKER = "___";
const ALTERNATIVES = 3;

interface Task {
  method: string;
  title: string;
  /** Completes "this server is too old to ...". */
  what: string;
}

const HOLES: Task = { method: FILL, title: "Fill", what: "fill several holes" };
export const LINES: Task = { method: BRIDGE, title: "Lines", what: "write lines between two blocks" };
export const BODY: Task = { method: FROM_COMMENT, title: "From the comment", what: "write what a comment asks for" };

/** Fill every ___ in the active document. */
export async function fillMarked(server: Server, drafts: Drafts): Promise<void> {
  const document = servedEditor()?.document;
  if (document === undefined) return;
  const first = document.getText().indexOf(MARKER);
  if (first < 0) {
    void window.showInformationMessage(`Diffill: write ${MARKER} wherever something is missing, then fill the holes.`);
    return;
  }
  const at = new Range(document.positionAt(first), document.positionAt(first + MARKER.length));
  await fillAndChoose(server, drafts, document, at, HOLES, { marker: MARKER });
}

/** Write lines at the cursor: `LINES` that connect what stands around it, or the `BODY` of a comment. */
export async function writeLines(server: Server, drafts: Drafts, task: Task): Promise<void> {
  const editor = servedEditor();
  if (editor === undefined) return;
  const { active } = editor.selection;
  const position = { line: active.line, character: active.character };
  await fillAndChoose(server, drafts, editor.document, new Range(active, active), task, { position });
}

async function fillAndChoose(server: Server, drafts: Drafts, document: TextDocument, at: Range, task: Task, place: object): Promise<void> {
  const asked: Asked = { document, version: document.version, at };
  const params = { textDocument: { uri: document.uri.toString(), version: asked.version }, ...place, n: ALTERNATIVES };
  const answer = await drafts.during(document, async (hear, token) => {
    const told = await server.ask<unknown>(task.method, params, task.what, token, hear);
    return !token.isCancellationRequested && unchanged(asked) ? told : undefined;
  });
  if (answer === undefined) return;
  const { fills, reason } = fillsOf(answer);
  if (fills.length === 0) {
    void window.showInformationMessage(`Diffill: ${reason ?? "nothing was found for this place"}.`);
    return;
  }
  if (reason !== null) void window.showInformationMessage(`Diffill: ${reason}.`);
  const choices = fills.map(
    ({ edits, score }): Choice => ({
      label: edits.map((edit) => edit.newText.trim().replaceAll(/\s+/g, " ")).join("  |  "),
      description: score === undefined ? undefined : score.toFixed(2),
      versions: async () => [
        {
          edits: edits.map((edit) => ({ range: fromWire(edit.range), text: edit.newText })),
          summary: edits.length === 1 ? "1 hole" : `${edits.length} holes`,
        },
      ],
    }),
  );
  await chooseAndApply(asked, task.title, choices);
}
