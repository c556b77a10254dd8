import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { test } from "node:test";
import type { Server } from "../src/server/server.ts";

const FAKE = new URL("fakes/asking.ts", import.meta.url).href;
registerHooks({
  resolve: (name, context, next) => (name === "vscode" ? { url: FAKE, shortCircuit: true } : next(name, context)),
});
const { EventEmitter } = await import("./fakes/asking.ts");
const { staysQuiet } = await import("../src/features/pause.ts");
const { Quiet } = await import("../src/features/quiet.ts");

const MINUTE_MS = 60_000;
const toggle = { command: "diffill.toggle", args: [] };
const snooze = (minutes: number) => ({ command: "diffill.snooze", args: [minutes] });

test("what was switched off or snoozed is what a new server must be told", () => {
  const cases: [did: { command: string; args: unknown[] }[], later: number, must: { command: string; args: unknown[] }[]][] = [
    [[], 0, []],
    [[toggle], 99, [toggle]],
    [[toggle, toggle], 0, []],
    [[snooze(30)], 10, [snooze(20)]],
    [[snooze(30)], 30, []],
    [[snooze(30), snooze(0)], 0, []],
    [[snooze(30), toggle], 0, []], // it ends the snooze
    [[toggle, snooze(30)], 10, [toggle, snooze(20)]],
    [[toggle, snooze(30), toggle], 0, []],
    [[{ command: "diffill.snooze", args: [] }], 1, [snooze(4)]],
    [[{ command: "diffill.other", args: [5] }], 0, []],
  ];
  for (const [did, later, must] of cases) {
    const quiet = new Quiet();
    for (const command of did) quiet.after(command, MINUTE_MS);
    assert.deepEqual(quiet.again((1 + later) * MINUTE_MS), must);
  }
});

test("a server that was started again is told before anything else is asked", () => {
  const [executed, life] = [new EventEmitter<unknown>(), new EventEmitter<string>()];
  const sent: unknown[] = [];
  const peek = async (method: string, params: unknown) => void sent.push([method, params]);
  staysQuiet({ onExecuted: executed.event, onLife: life.event, peek } as unknown as Server);
  life.fire("running");
  executed.fire(toggle);
  for (const now of ["stopped", "starting"]) life.fire(now);
  assert.deepEqual(sent, []);
  life.fire("running");
  assert.deepEqual(sent, [["workspace/executeCommand", { command: "diffill.toggle", arguments: [] }]]);
});
