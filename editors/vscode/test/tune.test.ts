import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { beforeEach, test } from "node:test";
import type { Server } from "../src/server/server.ts";

const FAKE = new URL("fakes/asking.ts", import.meta.url).href;
registerHooks({
  resolve: (name, context, next) => (name === "vscode" ? { url: FAKE, shortCircuit: true } : next(name, context)),
});
const { says, seen, token, workspace } = await import("./fakes/asking.ts");
const { Tuning } = await import("../src/features/tune.ts");

const asked: [method: string, params: unknown, token: unknown][] = [];
const server = {
  onTraining: () => ({ dispose() {} }),
  ask: async (method: string, params: unknown, _what: string, cancel?: unknown) => (asked.push([method, params, cancel]), { files: 3, root: "/a", state: "stopped" }),
} as unknown as Server;
const tuning = new Tuning(server);

beforeEach(() => {
  asked.length = seen.messages.length = seen.asked.length = 0;
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
