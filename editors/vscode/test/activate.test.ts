// The extension as a whole, in a fake editor that is just being opened.

import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { registerHooks } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeEach, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { ExtensionContext } from "vscode";

const FAKES: Record<string, string> = { vscode: "fakes/whole.ts", "vscode-languageclient/node": "fakes/client.ts" };
registerHooks({
  resolve: (name, context, next) => {
    const fake = FAKES[name];
    return fake === undefined ? next(name, context) : { url: new URL(fake, import.meta.url).href, shortCircuit: true };
  },
});
const { says } = await import("./fakes/asking.ts");
const { LanguageClient } = await import("./fakes/client.ts");
const { focus, item, registered, seen } = await import("./fakes/whole.ts");
const { activate, deactivate } = await import("../src/extension.ts");
const { putInPlace } = await import("../src/server/replace.ts");

const extension = (storage: string) =>
  ({ globalStorageUri: { fsPath: storage }, extensionPath: tmpdir(), subscriptions: [] }) as unknown as ExtensionContext;

beforeEach(() => {
  Object.assign(says, { settings: {}, folders: [], python: undefined });
  seen.messages.length = LanguageClient.made.length = 0;
});

test("commands work while the first start of a window hangs", { timeout: 10_000 }, async () => {
  let goOn = (_api: object): void => {};
  const hangs = new Promise<object>((done) => (goOn = done));
  const looking = new Promise<void>((resolve) => {
    says.python = { activate: () => (resolve(), hangs) };
  });
  let active = false;
  void Promise.resolve(activate(extension(join(tmpdir(), "diffill-nowhere")))).then(() => (active = true));
  await looking;
  for (let turns = 0; turns < 5; turns++) await turn();
  assert.ok(active, "the editor runs no command of an extension that is being activated");
  assert.match(item.text, /loading/);
  says.settings = { "diffill.server.path": process.execPath };
  await registered.get("diffill.restartServer")?.();
  assert.deepEqual([seen.executed.at(-1), seen.messages], [["setContext", "diffill.ready", true], []]);
  goOn({});
  await deactivate();
});

test("a window that gets the focus serves from the environment that another one has made", { timeout: 10_000 }, async (context) => {
  const storage = await mkdtemp(join(tmpdir(), "diffill-"));
  context.after(() => rm(storage, { recursive: true }));
  const environment = async (name: string): Promise<string> => {
    const python = join(storage, name, "bin", "python");
    await mkdir(join(storage, name, "bin"), { recursive: true });
    await writeFile(python, "#!/bin/sh\necho diffill\n");
    await chmod(python, 0o755);
    return join(storage, name);
  };
  const place = await environment("server");
  activate(extension(storage));
  const served = async (clients: number): Promise<void> => {
    while (!context.signal.aborted && (LanguageClient.made.length < clients || item.text !== "$(sparkle) Diffill")) await turn();
  };
  await served(1);
  await putInPlace(await environment("new"), place);
  focus.fire({ focused: false });
  focus.fire({ focused: true });
  await served(2);
  assert.deepEqual([LanguageClient.made.length, seen.messages], [2, []]);
  await deactivate();
});
