import assert from "node:assert/strict";
import { test } from "node:test";
import { fillsOf } from "../src/features/fillAnswer.ts";
import { page } from "../src/features/trail.ts";
import { describeEnd, describePlan, describeProgress, describeRun, modelsOf } from "../src/features/tuneView.ts";
import { failures } from "../src/messages.ts";
import { Crashes } from "../src/server/crashes.ts";
import type { Found, Source } from "../src/server/find.ts";
import { leveller } from "../src/server/logLines.ts";
import { isTooOld } from "../src/server/version.ts";
import { strictest } from "../src/privacy.ts";
import { WrongSetting, forServer, textOf, textsOf } from "../src/settings.ts";
import { draftedHoles, inOneLine } from "../src/ui/draftText.ts";
import { between } from "../src/ui/between.ts";
import { applyEdits, kept, moved } from "../src/ui/edits.ts";
import { view } from "../src/ui/statusView.ts";

test("a server that keeps ending is given up, one that ends now and then is not", () => {
  const crashes = new Crashes(3, 180_000);
  assert.deepEqual([0, 1, 2, 3].map((second) => crashes.restartAfter(second * 1000)), [true, true, true, false]);
  const rare = new Crashes(3, 180_000);
  for (let hour = 0; hour < 10; hour++) assert.equal(rare.restartAfter(hour * 3_600_000), true);
});

test("log lines keep their level, and a traceback that of its head", () => {
  const told = leveller();
  const lines = [
    "No module named pygls",
    "2026-11-24 16:11:47,690 INFO lsp_server.features.requests: shown=2",
    "2026-11-24 16:11:48,000 WARNING lsp_server.server: odd",
    "  in file.py",
  ];
  assert.deepEqual(lines.map((line) => told(line).level), ["error", "info", "warn", "warn"]);
  assert.equal(leveller()(lines[1] ?? "").text, "lsp_server.features.requests: shown=2");
});

test("versions are compared as numbers", () => {
  assert.equal(isTooOld("0.9.0", "0.10.0"), true);
  assert.equal(isTooOld("0.10.0", "0.9.9"), false);
  assert.equal(isTooOld("1.2.3", "1.2.3"), false);
  assert.equal(isTooOld("1.2.3-rc1", "1.2.3"), false);
  assert.equal(isTooOld(undefined, "1.0.0"), false);
  assert.equal(isTooOld("some build", "1.0.0"), false);
});

test("the server is not told of the extension's own settings", () => {
  const section = { enable: true, server: { path: "" }, trace: { server: "off" }, inline: { maxLines: 3 } };
  assert.deepEqual(forServer(section, true), { enable: true, inline: { maxLines: 3 } });
  assert.deepEqual(forServer(null, true), {});
});

test("in a folder that is not trusted nothing is tuned by itself, whoever switched it on", () => {
  const section = { enable: true, server: { path: "" }, train: { keepUp: true, autoResume: true, nice: 3 } };
  assert.deepEqual(forServer(section, false), { enable: true, train: { keepUp: false, autoResume: false, nice: 3 } });
  assert.deepEqual(forServer(section, true).train, section.train);
  for (const odd of [null, {}, { train: null }]) assert.deepEqual(forServer(odd, false), { train: { keepUp: false, autoResume: false } });
});

test("of what folders set of privacy the strictest counts", () => {
  const window = { logCode: false, respectGitignore: true, ignore: ["*.gen.py", "!keep.gen.py"] };
  const with_ = (own: object) => ({ ...window, ...own });
  assert.equal(strictest(window, []), window);
  assert.equal(strictest(window, [{ ...window }, { ...window }]), window); // a single folder's are the window's
  assert.deepEqual(strictest(window, [window, with_({ ignore: ["hush_*.py"] }), with_({ ignore: ["*.gen.py", "!hush_a.py"] })]), {
    ...window,
    ignore: ["*.gen.py", "!keep.gen.py", "hush_*.py", "*.gen.py"],
  });
  assert.deepEqual(strictest(window, [with_({ logCode: true }), with_({ respectGitignore: false }), with_({ ignore: [] })]), window);
  const loose = { logCode: true, respectGitignore: false, ignore: [] };
  assert.deepEqual(strictest(loose, [{ ...loose, logCode: false }]), { ...loose, logCode: false });
  assert.deepEqual(strictest(loose, [{ ...loose, respectGitignore: true }, null]), { ...loose, logCode: false, respectGitignore: true });
});

test("a setting of the wrong type is named with what it must be, and null is not set", () => {
  assert.deepEqual([textOf("a", "x"), textOf("a", null), textOf("a", undefined)], ["x", "", ""]);
  assert.deepEqual([textsOf("a", ["x"]), textsOf("a", null), textsOf("a", undefined)], [["x"], [], []]);
  const named = (setting: string, must: RegExp) => (error: unknown) =>
    error instanceof WrongSetting && error.setting === setting && error.message.startsWith(`${setting} is `) && must.test(error.message);
  for (const odd of [5, true, ["x"], {}]) assert.throws(() => textOf("diffill.server.path", odd), named("diffill.server.path", /must be a text/));
  for (const odd of ["--log-level debug", 5, [5], ["--log-level", 5], { 0: "x" }])
    assert.throws(() => textsOf("diffill.server.args", odd), named("diffill.server.args", /must be a list of texts, such as \["--log-level", "debug"\]/));
});

test("edits are applied together, wherever they stand", () => {
  const text = "def ___(x):\n    return ___\n";
  const edits = [
    { start: 4, end: 7, text: "double" },
    { start: 23, end: 26, text: "2 * x" },
  ];
  const wanted = "def double(x):\n    return 2 * x\n";
  assert.equal(applyEdits(text, edits), wanted);
  assert.equal(applyEdits(text, edits.toReversed()), wanted);
  const touching = [{ start: 1, end: 2, text: "B" }, { start: 1, end: 1, text: "-" }];
  for (const order of [touching, touching.toReversed()]) assert.equal(applyEdits("abc", order), "a-Bc");
});

test("pinned texts are looked for in their order", () => {
  const all = { start: 0, end: 11 };
  const pieces = [{ start: 0, end: 4 }, { start: 7, end: 11 }];
  const holds = (text: string) => between(all, pieces, "f(x) + g(x)", text) !== undefined;
  assert.equal(holds("a = f(x) + g(x)"), true);
  assert.equal(holds("a = g(x) + f(x)"), false);
  assert.equal(holds("f(x)"), false);
  assert.notEqual(between(all, [], "f(x) + g(x)", "anything"), undefined);
});

test("only what lies between pinned pieces is edited, and each piece is the one that was pinned", () => {
  const rewritten = (old: string, pieces: [number, number][], text: string): string => {
    const spans = pieces.map(([start, end]) => ({ start: start + 3, end: end + 3 }));
    const edits = between({ start: 3, end: 3 + old.length }, spans, old, text) ?? [];
    for (const { start, end } of edits) for (const span of spans) assert.ok(end <= span.start || start >= span.end);
    assert.equal(applyEdits(`>> ${old} <<`, edits), `>> ${text} <<`);
    return edits.map((edit) => `${edit.start - 3}-${edit.end - 3} ${edit.text}`).join(", ");
  };
  assert.equal(rewritten("a = f(x) + 1", [[4, 8]], "sum = f(x) * 2"), "0-4 sum = , 8-12  * 2");
  assert.equal(rewritten("f(x) + x", [[7, 8]], "g(x) * x"), "0-7 g(x) * , 8-8 ");
  assert.equal(rewritten("x + f(x)", [[0, 1]], "x * g(x)"), "1-8  * g(x)");
  assert.equal(rewritten("ab", [[0, 1], [1, 2]], "a, b"), "1-1 , , 2-2 ");
  assert.equal(rewritten("xx", [[0, 1], [1, 2]], "xx"), "2-2 ");
  assert.equal(rewritten("a b a b", [[0, 1], [4, 5]], "(a - a)"), "0-0 (, 1-4  - , 5-7 )");
});

test("pins made out of order, or one in another, are kept in the order of the text", () => {
  const pins = [[30, 40], [12, 14], [10, 20], [18, 25], [0, 5], [25, 27], [38, 60]].map(([start = 0, end = 0]) => ({ start, end }));
  const spans = (within: { start: number; end: number }) => kept(pins, within).map(({ start, end }) => [start, end]);
  assert.deepEqual(spans({ start: 0, end: 99 }), [[0, 5], [10, 25], [25, 27], [30, 60]]);
  assert.deepEqual(spans({ start: 5, end: 35 }), [[10, 25], [25, 27], [30, 35]]);
  assert.deepEqual(spans({ start: 13, end: 13 }), []);
  const text = "f(g(x)) + h(y)";
  const texts = kept([{ start: 10, end: 14 }, { start: 2, end: 6 }, { start: 0, end: 7 }], { start: 0, end: 14 }).map(({ start, end }) => text.slice(start, end));
  assert.deepEqual(texts, ["f(g(x))", "h(y)"]);
});

test("pins move with the text, and one that is edited is gone", () => {
  const pins = [{ start: 10, end: 20 }];
  assert.deepEqual(moved(pins, { start: 0, end: 2, text: "" }), [{ start: 8, end: 18 }]);
  assert.deepEqual(moved(pins, { start: 10, end: 10, text: "ab" }), [{ start: 12, end: 22 }]);
  assert.deepEqual(moved(pins, { start: 20, end: 25, text: "ab" }), pins);
  assert.deepEqual(moved(pins, { start: 15, end: 16, text: "x" }), []);
});

test("the status item says state, model, time and reason", () => {
  const status = { kind: "Normal", message: "model ready", model: "nano", p50: 81.4, p95: 240, reason: "inside a word" };
  const seen = view("running", status, 143.2);
  assert.equal(seen.text, "$(sparkle) Diffill 143 ms");
  for (const part of ["model ready", "nano", "143 ms", "81 ms", "240 ms", "inside a word"]) assert.ok(seen.tooltip.includes(part), part);
  assert.doesNotMatch(view("running", { ...status, p95: null }, 143.2).tooltip, /half within/);
  assert.equal(view("running", { kind: "Inactive", message: "off" }, 143).text, "$(circle-slash) Diffill");
  assert.equal(view("running", { kind: "Error", message: "no model" }, undefined).level, "error");
  assert.equal(view("running", { kind: "Normal", problems: ["diffill.x: unknown"] }, undefined).level, "warning");
  const lost = { ...status, problems: [], adapterProblem: "the adapter a1 is not served: it holds NaN" };
  assert.equal(view("running", lost, 143).level, "warning");
  assert.match(view("running", lost, 143).tooltip, /\nProblem: the adapter a1 is not served: it holds NaN$/);
  const told = view("running", { ...lost, problems: [`diffill.model.adapter: ${lost.adapterProblem}`] }, 143).tooltip;
  assert.equal(told.split(lost.adapterProblem).length, 2, "it is said once");
  assert.equal(view("running", { ...status, problems: [], adapterProblem: null }, 143).level, "normal");
  const tuned = view("running", status, 143, "tuning 25 %");
  assert.equal(tuned.text, "$(flame) Diffill tuning 25 %");
  assert.ok(tuned.tooltip.includes("On this repository: tuning 25 %"));
  assert.equal(view("running", { kind: "Error" }, undefined, "paused").text, "$(error) Diffill paused");
  assert.equal(view("running", { kind: "SomethingNew" }, undefined).text, "$(sparkle) Diffill");
  assert.equal(view("failed", status, 1).level, "error");
  assert.deepEqual([view("running", undefined, 12), view("stopped", status, 12)].map(({ tooltip }) => tooltip), ["Diffill: running", "Diffill: stopped"]);
});

test("a trail becomes a page", () => {
  const trail = {
    method: "textDocument/inlineCompletion", uri: "file:///a.py", position: { line: 2, character: 4 }, automatic: true,
    language: "python", shown: 0, reason: "allFiltered", message: "every candidate was filtered out", ms: 12.6,
    stages: [{ name: "engine", ms: 10.25 }],
    candidates: [{ score: 0.5, characters: 3, lines: 1, quoted: true, droppedBy: "confidence", why: "0.01 | 0.03" }],
  };
  const text = page(trail);
  for (const part of ["Nothing was shown", "every candidate was filtered out.", "line 3, column 5", "| engine | 10.3 |", "1, quoted", "0.01 \\| 0.03"])
    assert.ok(text.includes(part), part);
  assert.ok(page(null).includes("Nothing was asked yet"));
});

test("an answer with unusable edits is no answer", () => {
  const range = { start: { line: 0, character: 4 }, end: { line: 0, character: 7 } };
  const good = { edits: [{ range, newText: "x" }] };
  assert.deepEqual(fillsOf({ fills: [good, { edits: [] }, { edits: [{ newText: "x" }] }, null] }).fills, [good]);
  assert.deepEqual(fillsOf({ fills: [], reason: "no holes" }), { fills: [], reason: "no holes" });
  assert.deepEqual(fillsOf(null), { fills: [], reason: null });
});

test("a draft is its texts, with a block for every open slot", () => {
  const range = { start: { line: 0, character: 4 }, end: { line: 0, character: 7 } };
  const texts = [["a", 2, " b", 1], [0], []];
  const holes = draftedHoles({ ranges: [range, range, range], texts, done: 0.5 });
  assert.deepEqual(holes, ["a\u2592\u2592 b\u2592", "\u2026", ""].map((text) => ({ range, text })));
  for (const odd of [null, {}, { ranges: [range] }, { ranges: [range], texts: [] }]) assert.deepEqual(draftedHoles(odd), []);
});

test("a draft of several lines fits one", () => {
  assert.equal(inOneLine("\n    y = \u2592\n\n    return y"), " \u21b5 y = \u2592 \u21b5 return y");
  assert.equal(inOneLine("a  b"), "a  b");
});

test("a plan names its files, its time and what is left out", () => {
  const plan = describePlan({ files: 12, tokens: 3400, held_out_files: 3, expected_minutes: 4.4, excluded: { too_large: 2 }, notes: ["few files"] });
  for (const part of ["12 files, 3400 tokens", "3 files held out", "about 4 minutes", "left out: 2 too large", "few files"])
    assert.ok(plan.detail.includes(part), part);
  const paths = ["a", "b", "c", "d"].map((path) => ({ path, reason: "too_large", detail: "" }));
  const { detail } = describePlan({ root: "/r", excluded: { too_large: 9, secret: 1 }, excluded_paths: [...paths, { path: ".env", reason: "secret" }] });
  assert.equal(detail, "/r\nleft out: 9 too large (a, b, c, ...)\nleft out: 1 secret (.env)");
  assert.equal(plan.possible, true);
  assert.equal(describePlan({ files: 0 }).possible, false);
});

test("a run is told from whatever is there", () => {
  assert.equal(describeRun({ state: "runs", event: "train", loss: 3.456, eta_minutes: 1.5 }), "runs, loss 3.46, 2 min left");
  assert.equal(describeRun({ state: "stopped", message: "run again to go on" }), "stopped: run again to go on");
  assert.equal(describeRun({}), "no run");
});

test("how far a run is needs both numbers, or the share", () => {
  assert.equal(describeProgress({ event: "train", done: 1, of: 8 }), "tuning 12 %");
  assert.equal(describeProgress({ event: "train", progress: 0.5 }), "tuning 50 %");
  for (const half of [{ done: 1 }, { of: 8 }, { done: 1, of: 0 }]) assert.equal(describeProgress({ event: "train", ...half }), "tuning");
});

test("only the end of a run is announced, with what it gained", () => {
  assert.equal(describeEnd({ event: "train", loss: 3 }), undefined);
  assert.equal(describeEnd({ event: "failed", message: "said by the server" }), undefined);
  assert.equal(describeEnd({ event: "stopped" }), "tuning stopped");
  const figures = { loss_before: 3.5, loss_after: 3.1 };
  assert.equal(describeEnd({ event: "done", adapter: "a1", figures }), "tuning a1 is ready; loss on held-out files 3.50 -> 3.10");
  const exact = { ...figures, held_out: { exact_match_before: 0.25, exact_match_after: 0.3 } };
  assert.equal(describeEnd({ event: "done", adapter: "a1", figures: exact }), "tuning a1 is ready; exact on held-out files 25.0 % -> 30.0 %");
  for (const half of [{ loss_before: 3.5 }, { loss_after: 3.1 }, { held_out: { exact_match_before: 0.25 } }, { held_out: { exact_match_after: 0.3 } }])
    assert.equal(describeEnd({ event: "done", adapter: "a1", figures: half }), "tuning a1 is ready");
  assert.equal(describeEnd({ event: "done", adapter: null, message: "nothing was gained" }), "nothing was gained");
});

test("the base model and every adapter can be chosen", () => {
  const adapters = [{ name: "a1", selected: true, figures: { loss_before: 3.5, loss_after: 3.1 }, created: "2026-11-24T10:00:00" }, {}];
  const models = modelsOf({ base: "bundled", adapters });
  assert.deepEqual(models.map(({ name, selected }) => [name, selected]), [[null, false], ["a1", true]]);
  assert.equal(models[1]?.description, "chosen, but not used; loss on held-out files 3.50 -> 3.10; 2026-11-24");
  assert.deepEqual([models[0]?.label, modelsOf(null)[0]?.label], ["bundled model, not tuned", "bundled model, not tuned"]);
  assert.equal(modelsOf({ base: "/m/mine" })[0]?.label, "/m/mine model, not tuned");
  assert.equal(modelsOf(null)[0]?.selected, true);
  assert.deepEqual(modelsOf({ adapters: [{ name: "a1", served: true }] }).map(({ served }) => served), [false, true]);
  assert.deepEqual(modelsOf({ adapters: [{ name: "a1", served: true }, { name: "a2" }] }).map(({ served }) => served), [false, true, false]);
  const team = modelsOf({ baseServed: false, adapters: [{ name: "a1" }] }); // another folder's is served
  assert.deepEqual(team.map(({ served, description }) => [served, description]), [[false, "chosen, but not used"], [false, ""]]);
});

const sources: Source[] = [
  "diffill.server.path", "diffill.server.interpreter", "the active Python environment", "uv tool or pipx", "PATH", "the environment made by this extension",
];
const found = (source: Source): Found => ({ command: "/c/it", args: [], source });

test("how a server is updated depends on where it came from", () => {
  const said = sources.map((source) => failures.cannot("fill", "0.0.1", found(source)).text);
  const must = [/diffill\.server\.path/, /git pull && make setup.*: \/c\/it -m pip install \/path/, /: \/c\/it -m pip install \/path/, /uv tool install --force \/path/, /\/c\/it/, /create the environment again/];
  for (const [index, text] of said.entries()) assert.match(text, must[index] ?? /^$/);
  for (const text of said) assert.doesNotMatch(text, /(install|upgrade) (--upgrade )?diffill\b/, "on no index is one of that name");
  const spaced = { ...found("the active Python environment"), command: "/my code/bin/python" };
  assert.match(failures.tooOld("0.0.9", spaced).text, /: "\/my code\/bin\/python" -m pip install/);
  assert.deepEqual(failures.tooOld("0.0.1", found("the environment made by this extension")).fixes, ["Create Environment", "Open Settings"]);
});

test("an environment that could not be filled names the setting that says with what", () => {
  const { text, fixes } = failures.environmentFailed("installing diffill", "No matching distribution found for diffill", "diffill");
  assert.match(text, /No matching distribution.*diffill\.server\.package \(diffill\)/);
  assert.ok(fixes.includes("Open Settings"));
  assert.ok(!failures.environmentFailed("making the environment", "no space").text.includes("package"));
});

test("of a folder that something may run in it is said what to close", () => {
  assert.match(failures.notPutInPlace("EPERM: operation not permitted", "EPERM").text, /failed: EPERM: operation not permitted\. Close other windows, /);
  assert.ok(!failures.notPutInPlace("ENOSPC: no space", "ENOSPC").text.includes("windows"));
});

test("every failure offers at least one way on", () => {
  const all = [
    failures.noServer("No server."), failures.noServer("No file.", "diffill.server.path"), failures.noPython(),
    failures.noFolder("/f", "EACCES"), failures.environmentFailed("pip", "no space"), failures.notStarted("diffill", "exit 1"), failures.notLaunched("no reason"), failures.crashed(4),
    failures.environmentFailed("pip", "no match.", "diffill"), failures.notUsed("diffill.server.path", "/p"), failures.notPutInPlace("EBUSY", "EBUSY"), failures.notRunning(),
    ...sources.flatMap((source) => [failures.tooOld("0.0.1", found(source)), failures.cannot("fill", "0.0.1", found(source))]),
  ];
  for (const { text, fixes } of all) assert.ok(text.startsWith("Diffill: ") && fixes.length > 0, text);
});
