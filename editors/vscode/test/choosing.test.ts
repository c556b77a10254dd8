// Asking for a text, choosing it and applying it, with a fake editor and a fake server.

import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { beforeEach, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { TextDocument, TextEditor } from "vscode";
import type { Server } from "../src/server/server.ts";

const FAKE = new URL("fakes/vscode.ts", import.meta.url).href;
registerHooks({
  resolve: (name, context, next) => (name === "vscode" ? { url: FAKE, shortCircuit: true } : next(name, context)),
});
const { Document, Editor, Position, Range, Selection, does, provided, seen, window } = await import("./fakes/vscode.ts");
const { LINES, fillMarked, writeLines } = await import("../src/features/fill.ts");
const { Pins } = await import("../src/features/pins.ts");
const { rewriteSelection } = await import("../src/features/rewrite.ts");
const { Drafts } = await import("../src/ui/drafts.ts");
const { Preview } = await import("../src/ui/preview.ts");

const CHANGED = ["Diffill: the document has changed since; nothing was applied. Ask again."];
const cursor = (line: number, character: number) => new Selection(new Position(line, character), new Position(line, character));
const settle = async (): Promise<void> => {
  for (let turns = 0; turns < 10; turns++) await turn();
};

/** A server that answers with `answer`, once it may; what it was asked is kept. */
function server(answer: (params: any) => unknown): { server: Server; asked: any[] } {
  const asked: any[] = [];
  const ask = async (_method: string, params: unknown): Promise<unknown> => (asked.push(params), answer(params));
  return { server: { ask, cannot: (what: string) => seen.said.push(`cannot ${what}`) } as unknown as Server, asked };
}

const filled = (line: number, start: number, end: number, newText: string) => ({
  fills: [{ edits: [{ range: { start: { line, character: start }, end: { line, character: end } }, newText }], score: 0.5 }],
});
const rewritten = (text: string) => ({ rewrites: [{ text, score: 1, changed: 0.3, parses: true }], range: {}, masked: 1, reason: null });
const spans = (pins: InstanceType<typeof Pins>, document: object) => pins.spans(document as TextDocument);

function open(text: string, ...selections: InstanceType<typeof Selection>[]): InstanceType<typeof Editor> {
  return (window.activeTextEditor = new Editor(new Document(text), ...selections));
}

beforeEach(() => {
  Object.assign(does, { apply: true, diff: async () => {} });
  for (const list of [seen.said, seen.shown, seen.picks, provided]) list.length = 0;
});

test("where no file is open, that is said", async () => {
  window.activeTextEditor = undefined; // as while the walkthrough has the focus
  const { server: one, asked } = server(() => undefined);
  await fillMarked(one, new Drafts());
  await writeLines(one, new Drafts(), LINES);
  await rewriteSelection(one, new Pins());
  assert.deepEqual([seen.said, asked], [Array(3).fill("Diffill: open a file first."), []]);
});

test("a fill for a text that has changed meanwhile is not offered, and that is said", async () => {
  const { document } = open("x = ___\n", cursor(0, 0));
  const { server: one, asked } = server(() => (document.edit([new Range(0, 0, 0, 0), "import os\n"]), filled(0, 4, 7, "1")));
  await fillMarked(one, new Drafts());
  assert.deepEqual(asked.map(({ textDocument }) => textDocument), [{ uri: "file:///a.py", version: 1 }]);
  assert.deepEqual([document.getText(), seen.picks.length, seen.said], ["import os\nx = ___\n", 0, CHANGED]);
});

test("lines that the server refuses because the text has changed are told in the same words", async () => {
  const { document } = open("a = 1\n\nb = 2\n", cursor(1, 0));
  const { server: one, asked } = server(() => (document.edit([new Range(0, 0, 0, 0), "# hm\n"]), undefined));
  await writeLines(one, new Drafts(), LINES);
  assert.deepEqual([asked[0].textDocument.version, seen.said], [1, CHANGED]);
});

test("a fill of some holes only is offered, and says that of the others", async () => {
  open("x = ___\ny = ___\n", cursor(0, 0));
  const why = "1 of 2 holes were filled; for the others, the time was up";
  const done = fillMarked(server(() => ({ ...filled(0, 4, 7, "1"), reason: why })).server, new Drafts());
  await settle();
  seen.picks.at(-1)?.accept();
  await done;
  assert.equal(seen.picks.length, 1);
  assert.deepEqual(seen.said, [`Diffill: ${why}.`]);
});

test("a fill that was cancelled says nothing and shows nothing, whatever comes", async () => {
  const { document } = open("x = ___\n", cursor(0, 0));
  const drafts = new Drafts();
  const { server: one } = server(() => (document.edit([new Range(0, 0, 0, 0), "y"]), drafts.cancel(), filled(0, 4, 7, "1")));
  await fillMarked(one, drafts);
  assert.deepEqual([seen.picks.length, seen.said], [0, []]);
});

test("who asks for a fill again gets that one, and hears nothing of the one before", async () => {
  const drafts = new Drafts();
  const answers: ((answer: unknown) => void)[] = [];
  const { server: one } = server(() => new Promise((resolve) => answers.push(resolve)));
  open("x = ___\n", cursor(0, 0));
  const elsewhere = fillMarked(one, drafts);
  open("x = ___\n", cursor(0, 0));
  const first = fillMarked(one, drafts);
  const second = fillMarked(one, drafts);
  answers[1]?.({ fills: [], reason: "a newer request for the same document took its place" });
  await first;
  assert.deepEqual([seen.picks.length, seen.said, seen.context["diffill.filling"]], [0, [], true]);
  for (const answer of [answers[2], answers[0]]) {
    answer?.(filled(0, 4, 7, "1"));
    await settle();
    seen.picks.at(-1)?.hide();
  }
  await Promise.all([elsewhere, second]);
  assert.deepEqual([seen.picks.length, seen.said], [2, []]);
});

test("a rewrite for a text that has changed meanwhile ends, and that is said", async () => {
  const { document } = open("x = 1\n", cursor(0, 0));
  const { server: one, asked } = server(() => (document.edit([new Range(0, 0, 0, 0), "# "]), rewritten("y = 1")));
  const done = rewriteSelection(one, new Pins());
  await settle();
  assert.deepEqual([asked[0].textDocument.version, document.getText(), seen.said], [1, "# x = 1\n", CHANGED]);
  await done;
});

test("what is chosen is not applied to a document that was edited or closed since", async () => {
  const events = [
    (document: InstanceType<typeof Document>) => document.edit([new Range(0, 0, 0, 0), "# "]),
    (document: InstanceType<typeof Document>) => (document.isClosed = true),
  ];
  for (const happens of events) {
    seen.said.length = 0;
    const { document } = open("x = ___\n", cursor(0, 0));
    const done = fillMarked(server(() => filled(0, 4, 7, "1")).server, new Drafts());
    await settle();
    happens(document);
    seen.picks.at(-1)?.accept();
    await done;
    assert.match(document.getText(), /___/);
    assert.deepEqual(seen.said, CHANGED);
  }
});

test("Escape leaves every selection and the column as they were", async () => {
  const selections = [cursor(1, 2), new Selection(new Position(2, 0), new Position(2, 3))];
  for (const start of [
    () => fillMarked(server(() => filled(0, 4, 7, "1")).server, new Drafts()),
    () => rewriteSelection(server(() => rewritten("y = 2")).server, new Pins()),
  ]) {
    const editor = open("x = ___\ny = 1\nzzz\n", ...selections);
    const done = start();
    await settle();
    editor.selections = []; // as in an editor that was opened again
    seen.picks.at(-1)?.hide();
    await done;
    assert.deepEqual(editor.selections, selections);
    assert.deepEqual(seen.shown.at(-1), { viewColumn: 2 });
  }
});

test("after a text was applied the cursor stands behind it, and nothing is selected", async () => {
  const editor = open("def f(x):\n    return x\n", new Selection(new Position(1, 4), new Position(1, 12)));
  const done = rewriteSelection(server(() => rewritten("y = x * x\n    return y")).server, new Pins());
  await settle();
  seen.picks.at(-1)?.accept();
  await done;
  assert.equal(editor.document.getText(), "def f(x):\n    y = x * x\n    return y\n");
  assert.deepEqual(editor.selections, [cursor(2, 12)]);
  assert.deepEqual(seen.said, []);
});

test("pins that a rewrite has kept are kept by the next one", async () => {
  const editor = open("total = f(x) + g(y)\n", new Selection(new Position(0, 8), new Position(0, 12)));
  const pins = new Pins();
  pins.toggle(editor as unknown as TextEditor);
  editor.selections = [cursor(0, 0)];
  const { server: one, asked } = server(({ keep }) => rewritten(keep[0].start.character === 8 ? "both = 2 * f(x) * h(y)" : "f(x)"));
  for (const accepted of [true, false]) {
    const done = rewriteSelection(one, pins);
    await settle();
    if (accepted) seen.picks.at(-1)?.accept();
    else seen.picks.at(-1)?.hide();
    await done;
  }
  assert.equal(editor.document.getText(), "both = 2 * f(x) * h(y)\n");
  assert.deepEqual(spans(pins, editor.document), [{ start: 11, end: 15 }]);
  assert.deepEqual(asked.map(({ keep }) => keep.map(({ start }: any) => start.character)), [[8], [11]]);
});

test("a document that cannot be changed is told of", async () => {
  does.apply = false;
  const editor = open("x = ___\n", cursor(0, 1));
  const done = fillMarked(server(() => filled(0, 4, 7, "1")).server, new Drafts());
  await settle();
  seen.picks.at(-1)?.accept();
  await done;
  assert.equal(seen.said.length, 1);
  assert.match(seen.said[0] ?? "", /could not be changed, and nothing was applied.*read-only/);
  assert.deepEqual(editor.selections, [cursor(0, 1)]);
});

test("where no diff can be shown, that is said once, and Enter still applies", async () => {
  does.diff = async () => Promise.reject(new Error("no such file"));
  const { document } = open("x = 1\n", cursor(0, 0));
  const done = rewriteSelection(server(() => rewritten("x = 2")).server, new Pins());
  await settle();
  seen.picks.at(-1)?.accept();
  await done;
  assert.equal(document.getText(), "x = 2\n");
  assert.equal(seen.said.length, 1);
  assert.match(seen.said[0] ?? "", /diff cannot be shown \(no such file\)/);
  assert.deepEqual(provided.map(({ disposed }) => disposed), [true]);
});

test("a diff shows what was drafted last, even if it was opening until then", async () => {
  const { document } = open("y = 1\n");
  const preview = new Preview(document as unknown as TextDocument);
  let opened = (): void => {};
  let known = false;
  let shown: string | undefined;
  does.diff = () => {
    shown = provided[0]?.text();
    return new Promise((resolve) => (opened = resolve));
  };
  provided[0]?.changed(() => (shown = known ? provided[0]?.text() : shown)); // of a document that it does not know yet, the editor hears nothing
  const at = new Range(0, 0, 0, 5) as never;
  const first = preview.show([{ range: at, text: "y = \u2592" }], at);
  const second = preview.show([{ range: at, text: "y = 2" }], at);
  assert.equal(shown, "y = \u2592\n");
  known = true;
  opened();
  await Promise.all([first, second]);
  assert.equal(shown, "y = 2\n");
  preview.dispose();
});

test("what reads like an icon is text", async () => {
  open("x = ___\n", cursor(0, 0));
  const done = fillMarked(server(() => filled(0, 4, 7, "$(this).val() + $(a, b) + \\$(sync~spin)")).server, new Drafts());
  await settle();
  assert.equal(seen.picks[0]?.items[0]?.label, "\\$(this).val() + $(a, b) + \\\\$(sync~spin)");
  seen.picks[0]?.hide();
  await done;
});
