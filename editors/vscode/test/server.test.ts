// The server's life, with a fake editor and a fake client.

import assert from "node:assert/strict";
import { registerHooks } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { ExtensionContext, LogOutputChannel } from "vscode";

const FAKES: Record<string, string> = { vscode: "fakes/asking.ts", "vscode-languageclient/node": "fakes/client.ts" };
registerHooks({
  resolve: (name, context, next) => {
    const fake = FAKES[name];
    return fake === undefined ? next(name, context) : { url: new URL(fake, import.meta.url).href, shortCircuit: true };
  },
});
const { says, seen } = await import("./fakes/asking.ts");
const { LanguageClient } = await import("./fakes/client.ts");
const { activeInterpreters, onActiveChange } = await import("../src/server/active.ts");
const { Server } = await import("../src/server/server.ts");

const SOON = { timeout: 10_000 }; // far more than they need: what would hang fails
const PROGRAM = { "diffill.server.path": process.execPath };
const LONG_MS = 60_000;

const quiet = () => {};
const log = { info: quiet, warn: quiet, error: quiet } as unknown as LogOutputChannel;
const storage = { fsPath: join(tmpdir(), "diffill-nowhere") };
const server = () => new Server({ globalStorageUri: storage, extensionPath: tmpdir() } as unknown as ExtensionContext, log);

/** A Python extension that is active when a test wants it, and whether it is asked to be. */
function python() {
  let active = (_api: object): void => {};
  const asked = new Promise<void>((resolve) => {
    says.python = { activate: () => (resolve(), new Promise((done) => (active = done))) };
  });
  return { asked, activate: (api: object) => active(api) };
}

beforeEach(() => {
  Object.assign(says, { settings: PROGRAM, folders: [], ofFolders: {}, python: undefined });
  seen.messages.length = LanguageClient.made.length = 0;
});

test("a server of the settings is started whatever the Python extension does", SOON, async () => {
  python();
  const one = server();
  await one.restart();
  assert.deepEqual([one.life, seen.messages], ["running", []]);
});

test("who stops or restarts while it is looked for waits for nobody", SOON, async () => {
  says.settings = {};
  const one = server();
  for (const ends of [() => one.stop(), () => ((says.settings = PROGRAM), one.restart())]) {
    const { asked } = python();
    void one.restart();
    await asked;
    await ends();
  }
  assert.deepEqual([one.life, LanguageClient.made.length, seen.messages], ["running", 1, []]);
  await one.stop();
  assert.equal(one.life, "stopped");
});

test("the Python extension is waited for up to a limit, and what it says later is heard", SOON, async (context) => {
  context.mock.timers.enable({ apis: ["setTimeout"] });
  says.folders = ["/folder"];
  const { activate } = python();
  const found = activeInterpreters();
  context.mock.timers.tick(LONG_MS);
  assert.deepEqual((await found).slice(-1), [join("/folder", ".venv", process.platform === "win32" ? "Scripts/python.exe" : "bin/python")]);
  let changes = 0;
  const late = python();
  const watching = onActiveChange(() => changes++);
  context.mock.timers.tick(LONG_MS);
  for (let turns = 0; turns < 3; turns++) await turn();
  assert.equal(changes, 0);
  late.activate({ environments: { onDidChangeActiveEnvironmentPath: () => "watching" } });
  assert.deepEqual([await watching, changes], ["watching", 1]);
  activate({});
});

test("what is asked of a server that ends is told in our words", SOON, async () => {
  const one = server();
  await one.restart();
  const asked = one.ask("diffill/rewrite", {}, "rewrite a selection");
  await turn();
  LanguageClient.made[0]?.ends();
  assert.equal(await asked, undefined);
  assert.equal(seen.messages.length, 1);
  assert.match(seen.messages[0] ?? "", /could not rewrite a selection: the server ended by itself .* started again\. Ask again\./);
});

test("what is asked of a server that is stopped on purpose ends without a word", SOON, async () => {
  const one = server();
  for (const ends of [() => one.restart(), () => one.stop()]) {
    await one.restart();
    const asked = one.ask("diffill/rewrite", {}, "rewrite a selection");
    await turn();
    await ends();
    assert.equal(await asked, undefined);
  }
  assert.deepEqual(seen.messages, []);
});

test("of a server that is not started again only that is said", SOON, async ({ signal }) => {
  const one = server();
  await one.restart();
  for (let times = 1; times <= 4; times++) {
    while (one.life !== "running" && !signal.aborted) await turn(); // it is started again
    const asked = one.ask("diffill/rewrite", {}, "rewrite a selection");
    await turn();
    LanguageClient.made.at(-1)?.ends();
    await asked;
  }
  assert.equal(one.life, "failed");
  assert.equal(seen.messages.filter((text) => text.includes("started again. Ask again")).length, 3);
  assert.match(seen.messages.at(-1) ?? "", /is not started again/);
});

test("a server is told what folders set of privacy, at its start and when it asks", SOON, async () => {
  says.folders = ["/open", "/hushed"];
  says.ofFolders = { "/hushed": { "diffill.privacy": { ignore: ["hush_*.py"] } } };
  const hushed = { logCode: false, respectGitignore: true, ignore: ["hush_*.py"] };
  const one = server();
  await one.restart();
  const { options } = LanguageClient.made[0] ?? assert.fail("no client was made");
  assert.deepEqual((options.initializationOptions as any).privacy, hushed);
  const window = { enable: true, privacy: { logCode: false, respectGitignore: true, ignore: [] } };
  const items = [{ section: "diffill" }, { section: "editor" }];
  const answers = await options.middleware.workspace.configuration({ items }, undefined, () => [window, { tabSize: 4 }]);
  assert.deepEqual(answers, [{ enable: true, privacy: hushed }, { tabSize: 4 }]);
});
