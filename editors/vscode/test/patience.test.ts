import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { end, whileWanted } from "../src/server/patience.ts";

const never = new Promise<string>(() => {});
const LONG_MS = 60_000;

test("what comes in time is what was waited for, and so is a failure", async () => {
  const wanted = new AbortController().signal;
  assert.equal(await whileWanted(Promise.resolve("there"), LONG_MS, wanted), "there");
  await assert.rejects(whileWanted(Promise.reject(new Error("no")), LONG_MS, wanted), /no/);
});

test("what never comes is waited for up to a limit, or until nobody wants it", async () => {
  const still = new AbortController();
  assert.equal(await whileWanted(never, 1, still.signal), "late");
  const waiting = whileWanted(never, LONG_MS, still.signal);
  still.abort();
  assert.equal(await waiting, "unwanted");
  assert.equal(await whileWanted(never, LONG_MS, still.signal), "unwanted");
});

test("what fails after that is no failure of anybody's", async () => {
  let fail = (_: Error) => {};
  const work = new Promise<string>((_, reject) => (fail = reject));
  assert.equal(await whileWanted(work, 1, new AbortController().signal), "late");
  fail(new Error("ended"));
  await turn(); // a failure that is nobody's is told of then
});

test("a program that ignores what it is told is ended, and what it started keeps no pipe open", { timeout: LONG_MS }, async () => {
  const child = `require("child_process").spawn(process.execPath, ["-e", "process.stdin.resume()"], { stdio: "inherit" })`;
  const program = spawn(process.execPath, ["-e", `process.on("SIGTERM", () => {}); console.log("up"); ${child}`]);
  await once(program.stdout, "data");
  const closed = once(program, "close");
  end(program);
  assert.deepEqual(await closed, [null, "SIGKILL"]);
  end(undefined);
});
