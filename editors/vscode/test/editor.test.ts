// What needs an editor around it, with a fake one.

import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { TextDocument, TextEditor } from "vscode";

const FAKE = new URL("fakes/vscode.ts", import.meta.url).href;
registerHooks({
  resolve: (name, context, next) => (name === "vscode" ? { url: FAKE, shortCircuit: true } : next(name, context)),
});
const { Range, closed, seen } = await import("./fakes/vscode.ts");
const { chooseAndApply, turnVersion } = await import("../src/ui/chooser.ts");
const { Pins } = await import("../src/features/pins.ts");

const document = {
  version: 1, fileName: "/a.py", isClosed: false, uri: { path: "/a.py", toString: () => "file:///a.py" },
  getText: () => "abc", offsetAt: (at: number) => at, positionAt: (at: number) => at,
};
const opened = document as unknown as TextDocument;

test("a chooser that takes another one's place keeps the keys for versions", async () => {
  const versions = ["one", "two"].map((summary) => ({ edits: [], summary }));
  const choose = async (title: string): Promise<Promise<boolean>[]> => {
    const chosen = chooseAndApply({ document: opened, version: 1, at: new Range(0, 0, 0, 1) as never }, title, [{ label: title, versions: async () => versions }]);
    for (let turns = 0; turns < 5; turns++) await turn(); // the versions are asked for and drawn
    return [chosen];
  };
  const [first] = await choose("first");
  const [second] = await choose("second");
  assert.equal(await first, false);
  assert.equal(seen.context["diffill.choosing"], true);
  turnVersion(1);
  assert.equal(seen.picks[1]?.title, "second: 2 of 2: two");
  seen.picks[1]?.hide();
  assert.equal(await second, false);
  assert.equal(seen.context["diffill.choosing"], false);
});

test("pins stay when a document gets another language, and go when it is closed", async () => {
  const pins = new Pins();
  pins.toggle({ document, selections: [{ start: 0, end: 2 }] } as unknown as TextEditor);
  const spans = [{ start: 0, end: 2 }];
  closed.fire(document);
  await turn();
  assert.deepEqual(pins.spans(opened), spans);
  closed.fire(document);
  document.isClosed = true; // as it is by the next turn
  await turn();
  assert.deepEqual(pins.spans(opened), []);
});
