import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { beforeEach, test } from "node:test";
import type { Server } from "../src/server/server.ts";

const FAKE = new URL("fakes/asking.ts", import.meta.url).href;
registerHooks({
  resolve: (name, context, next) => (name === "vscode" ? { url: FAKE, shortCircuit: true } : next(name, context)),
});
const { says, seen, token, workspace } = await import("./fakes/asking.ts");
const { EventEmitter, seen: drawn } = await import("./fakes/vscode.ts");
const { Tuning } = await import("../src/features/tune.ts");

const training = new EventEmitter<Record<string, unknown>>();
const answers: Record<string, unknown> = {};
const asked: [method: string, params: unknown, token: unknown][] = [];
const server = {
  onTraining: training.event,
  ask: async (method: string, params: unknown, _what: string, cancel?: unknown) => (asked.push([method, params, cancel]), answers[method] ?? { files: 3, root: "/a", state: "stopped" }),
} as unknown as Server;
const tuning = new Tuning(server);

beforeEach(() => {
  asked.length = seen.messages.length = seen.asked.length = seen.executed.length = 0;
  for (const method of Object.keys(answers)) delete answers[method];
  Object.assign(says, { folders: [], picks: [], press: undefined });
  workspace.isTrusted = true;
});

test("nothing is tuned in a folder that is not trusted, not even on", async () => {
  workspace.isTrusted = false;
  says.picks = ["Resume"];
  await tuning.plan();
  await tuning.control();
  assert.deepEqual(asked, []);
  assert.equal(seen.messages.filter((text) => text.includes("trust this folder first")).length, 2);
});

test("a plan can be cancelled while it is made, and says which folder it is of", async () => {
  says.press = "Start";
  await tuning.plan();
  assert.deepEqual(asked.map(([method, params]) => [method, params]), [["diffill/train/plan", {}], ["diffill/train/start", {}]]);
  assert.equal(asked[0]?.[2], token);
  assert.match(seen.messages[0] ?? "", /\n\/a\n3 files/);
});

const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
/** The list of models that is open now. */
const list = () => {
  const pick = drawn.picks.at(-1);
  assert.ok(pick);
  return pick;
};

test("a run that nobody asked for is silent, unless it made something", async () => {
  training.fire({ event: "stopped", message: "not now: the machine runs on its battery", byItself: true });
  training.fire({ event: "done", adapter: null, message: "nothing has changed since the last run", byItself: true });
  assert.deepEqual(seen.messages, []);
  training.fire({ event: "done", adapter: "a1", byItself: true });
  assert.deepEqual(seen.messages, ["Diffill: tuning a1 is ready."]);
});

test("what was made in another folder is chosen there, and it is said what to write to use it", async () => {
  const only = "only the tuning of the first open folder is served by itself; write /data/b into diffill.model.adapter to serve b1";
  Object.assign(answers, { "diffill/model/list": { adapters: [{ name: "b1" }], baseServed: false }, "diffill/model/select": { selected: "b1", notServed: only } });
  Object.assign(says, { folders: ["/a", "/b"], picks: ["b"], press: "Start" });
  await tuning.plan();
  asked.length = seen.messages.length = seen.asked.length = 0;
  says.press = "Choose";
  training.fire({ event: "done", adapter: "b1", notServed: only });
  await settled();
  assert.deepEqual(seen.messages.splice(0), [`Diffill: tuning b1 is ready; it is not used: ${only}.`]);
  says.press = "Open Settings";
  list().selectedItems = [list().items[1]];
  list().accept();
  await settled();
  assert.deepEqual(seen.messages.splice(0), [`Diffill: b1 is chosen, but it is not used: ${only}.`]);
  assert.deepEqual(seen.executed, [["workbench.action.openSettings", "diffill.model.adapter"]]);
  says.press = "Delete";
  list().pressed.fire({ item: list().items[1] });
  await settled();
  const where = { repository: "/b" };
  assert.deepEqual(asked.map(([method, params]) => [method, params]), [
    ["diffill/model/list", where],
    ["diffill/model/select", { name: "b1", ...where }],
    ["diffill/model/delete", { name: "b1", ...where }],
  ]);
  assert.deepEqual(seen.asked, [], "it is known which folder that was");
  says.press = "Choose";
  training.fire({ event: "done", adapter: "a1", byItself: true });
  await settled();
  assert.deepEqual(asked.at(-1)?.slice(0, 2), ["diffill/model/list", {}], "what runs by itself is of the first folder");
});

test("of several folders it is asked whose models are shown, and why the one that is set is not used", async () => {
  says.folders = ["/a", "/b"];
  await tuning.selectModel();
  assert.deepEqual([asked, seen.asked.length], [[], 1]);
  says.picks = ["b"];
  answers["diffill/model/list"] = { base: "bundled", baseServed: true, problem: "shop has no adapter called x", adapters: [{ name: "b1", selected: true }, { name: "b2" }] };
  await tuning.selectModel();
  assert.deepEqual(asked.map(([method, params]) => [method, params]), [["diffill/model/list", { repository: "/b" }]]);
  assert.equal(list().placeholder, "Not used: shop has no adapter called x");
  assert.deepEqual(list().items.map(({ label, description }) => [label, description]), [
    ["$(check) bundled model, not tuned", ""], ["b1", "chosen, but not used"], ["b2", ""],
  ]);
});

test("of several folders one is chosen, and it is the one that is steered", async () => {
  says.folders = ["/a", "/b"];
  await tuning.plan();
  assert.deepEqual([asked, seen.asked], [[], ["Tuning: which folder?"]]);
  Object.assign(says, { picks: ["b", "Pause"], press: "Start" });
  await tuning.plan();
  await tuning.control();
  const methods = ["plan", "start", "status", "pause"].map((verb) => `diffill/train/${verb}`);
  assert.deepEqual(asked.map(([method, params]) => [method, params]), methods.map((method) => [method, { repository: "/b" }]));
});
