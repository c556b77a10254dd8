// The extension replays the messages of tests/wire/, as the server's and the Neovim plugin's tests do.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { shadedOf } from "../src/features/shades.ts";
import { fillsOf } from "../src/features/fillAnswer.ts";
import { page } from "../src/features/trail.ts";
import { describeChoice, describeEnd, describePlan, describeProgress, describeRun, modelsOf } from "../src/features/tuneView.ts";
import { draftedHoles } from "../src/ui/draftText.ts";
import { view } from "../src/ui/statusView.ts";
import * as wire from "../src/wire.ts";

interface Fixture {
  method: string;
  params: any;
  result: any;
  notifications: any[];
}

const FOLDER = new URL("../../../tests/wire/", import.meta.url);
const fixtures = new Map<string, Fixture>(
  readdirSync(FOLDER).map((name) => {
    const fixture = JSON.parse(readFileSync(new URL(name, FOLDER), "utf8")) as Fixture;
    return [fixture.method, fixture];
  }),
);
const of = (method: string): Fixture => {
  const found = fixtures.get(method);
  assert.ok(found, method);
  return found;
};

test("every method that is named is there", () => {
  const verbs: Record<string, string[]> = {
    [wire.TRAIN]: ["plan", "start", "pause", "resume", "stop", "status"],
    [wire.MODEL]: ["list", "select", "delete"],
  };
  for (const name of Object.values(wire))
    if (typeof name === "string" && name.startsWith("diffill/"))
      for (const method of verbs[name]?.map((verb) => name + verb) ?? [name]) of(method);
  const { commands } = of("initialize").result.capabilities.executeCommandProvider;
  for (const command of [wire.TOGGLE, wire.SNOOZE]) assert.ok(commands.includes(command));
});

test("what the server must be told is announced", () => {
  assert.deepEqual(wire.EXPERIMENTAL, of("initialize").params.capabilities.experimental);
});

test("the status item follows what is pushed", () => {
  const texts = of(wire.STATUS_DID_CHANGE).notifications.map((status) => view("running", status, undefined).text);
  assert.deepEqual(texts, ["$(loading~spin) Diffill", "$(sparkle) Diffill"]);
  const { tooltip } = view("running", of(wire.STATUS).result, 12);
  for (const part of ["model ready", "scripted", "12 ms"]) assert.ok(tooltip.includes(part), part);
  assert.equal(view("running", of("workspace/executeCommand").result, undefined).text, "$(circle-slash) Diffill");
});

test("a fill has an edit for each hole", () => {
  const { fills, reason } = fillsOf(of(wire.FILL).result);
  assert.deepEqual(fills[0]?.edits.map((edit) => edit.newText), ["width", "width"]);
  assert.equal(reason, null);
});

test("the drafts of the documented example are read", () => {
  const page = readFileSync(new URL("../../../docs/lsp-extensions.md", import.meta.url), "utf8");
  const examples = [...page.matchAll(/```json\n(.*?)```/gs)].map(([, text]) => JSON.parse(text ?? ""));
  const { progress, result } = examples.find((example) => "progress" in example);
  const texts = progress.map((draft: unknown) => draftedHoles(draft).map(({ text }) => text));
  assert.deepEqual(texts, [["a\u2592\u2592"], ["a + b"]]);
  assert.deepEqual(draftedHoles(progress[0]).map(({ range }) => range), result.ranges);
});

test("lines and bodies are answered as a fill is", () => {
  for (const method of [wire.BRIDGE, wire.FROM_COMMENT]) assert.equal(fillsOf(of(method).result).fills[0]?.edits.length, 1);
});

test("a rewrite has what the preview shows", () => {
  const result: wire.RewriteResult = of(wire.REWRITE).result;
  assert.deepEqual(result.rewrites.map(({ text, changed, parses }) => [text, changed, parses]), [["max(xs)", 1, true]]);
});

test("a trail becomes a page", () => {
  const text = page(of(wire.EXPLAIN_LAST).result);
  for (const part of ["# 2 shown", "line 2, column 12", "| infill |", "| 1 | 0.90 |"]) assert.ok(text.includes(part), part);
});

test("a plan, a run and its events are told", () => {
  const plan = describePlan(of(`${wire.TRAIN}plan`).result);
  for (const part of ["/work/shop", "7 files, 2310 tokens", "1 files held out", "about 4 minutes", "left out: 1 secret (.env)"])
    assert.ok(plan.detail.includes(part), part);
  assert.equal(describeRun(of(`${wire.TRAIN}status`).result), "runs, loss 2.04, 4 min left");
  const ends = of(wire.TRAIN_PROGRESS).notifications.map(describeEnd).filter((end) => end !== undefined);
  assert.deepEqual(ends, [
    "tuning tuned-1 is ready; loss on held-out files 2.31 -> 1.87",
    "nothing was gained on the held-out files, so no adapter was published",
    "tuning stopped: run again to go on",
  ]);
  let words: string | undefined;
  const seen = of(wire.TRAIN_PROGRESS).notifications.map((event) => (words = describeProgress(event, words)));
  assert.deepEqual(seen, [
    "scanning", "tuning", "planning", "measuring", "measuring 12 %", "tuning",
    "choosing a rate", "tuning", "tuning 25 %", "paused", "tuning", "tuning",
    "tuning", undefined, undefined, undefined, undefined, undefined,
  ]);
});

test("models can be chosen", () => {
  const models = modelsOf(of(`${wire.MODEL}list`).result);
  assert.deepEqual(models.map(({ name, selected, served }) => [name, selected, served]), [[null, false, false], ["tuned-1", true, true]]);
  assert.deepEqual(of(`${wire.MODEL}select`).params, { name: models[0]?.name });
  assert.equal(describeChoice(null, of(`${wire.MODEL}select`).result), "the model without tuning is used from now on");
});

test("pieces are shaded by their probability, and are the item's text", () => {
  const { items } = of(wire.CONFIDENCE).result as wire.Confidence;
  const [first, second] = items;
  assert.ok(first && second);
  assert.equal(first.pieces.map(({ text }) => text).join(""), first.insertText);
  const html = shadedOf(first) ?? "";
  assert.match(html, /^90 % sure: /);
  assert.match(html, /editorWarning[^>]*>b<\/span>/);
  assert.match(html, /editorInfo[^>]*>&#43;&nbsp;<\/span>/);
  assert.ok(!/<span[^>]*>a/.test(html));
  assert.equal(shadedOf(second), undefined);
  const shown = (text: string) => shadedOf({ insertText: "", score: 0, pieces: [{ text, p: 0.9 }] })?.replace("0 % sure: ", "") ?? "";
  assert.equal(shown("<b>\n\"é&"), "&#60;b&#62;<br>&#34;é&#38;");
  assert.doesNotMatch(shown("self.__init__(*a)[`x`] \\ | ~~no~~ https://a.b/c # !😀"), /[\\`*_[\]()~|!:/.😀]|#(?!\d+;)/u);
});
