// Making an environment, with a script that stands in for `python -m venv` and `pip`.

import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { registerHooks } from "node:module";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { type TestContext, test } from "node:test";
import type { ExtensionContext, LogOutputChannel } from "vscode";

const FAKE = new URL("fakes/asking.ts", import.meta.url).href;
registerHooks({
  resolve: (name, context, next) => (name === "vscode" ? { url: FAKE, shortCircuit: true } : next(name, context)),
});
const { says, seen } = await import("./fakes/asking.ts");
const { createEnvironment, oneAtATime } = await import("../src/server/environment.ts");

const PATH = process.env.PATH;
const python = (pip: string) => `#!/bin/sh
installed="$(dirname "$0")/../installed"
case "$*" in
*version_info*) echo True;;
*lsp_server*) grep -qE 'checkout|whl' "$installed" && echo diffill;;
"-P -m venv "*) for made; do :; done; mkdir -p "$made/bin"; cp "$0" "$made/bin/python";;
"-P -m pip "*) for wanted; do :; done; ${pip};;
*) echo "a module of this folder may be in the way: $*"; exit 1;;
esac
`;
const INSTALLS = 'echo "$wanted" >> "$installed"';

/** A machine whose only Python is the stand-in; where the extension may write; a log. */
async function machine(context: TestContext, pip = INSTALLS) {
  const home = await mkdtemp(join(tmpdir(), "diffill-"));
  await mkdir(join(home, "bin"));
  await writeFile(join(home, "bin", "python3"), python(pip));
  await chmod(join(home, "bin", "python3"), 0o755);
  process.env.PATH = [join(home, "bin"), "/usr/bin", "/bin"].join(delimiter);
  context.after(async () => {
    process.env.PATH = PATH;
    await rm(home, { recursive: true });
  });
  seen.messages.length = seen.asked.length = 0;
  Object.assign(says, { settings: {}, picks: [], file: undefined });
  const lines: string[] = [];
  const hear = (line: string) => void lines.push(line);
  const log = { info: hear, warn: hear } as unknown as LogOutputChannel;
  const storage = join(home, "storage");
  const extension = { globalStorageUri: { fsPath: storage } } as unknown as ExtensionContext;
  const make = (stop = async () => {}) => createEnvironment(extension, log, stop);
  return { storage, lines, make };
}
const installed = (storage: string) => readFile(join(storage, "server", "installed"), "utf8");

test("what to install is asked for where the setting is empty, and kept", async (context) => {
  const { storage, make } = await machine(context);
  assert.equal(await make(), false); // nothing was picked
  assert.deepEqual([seen.asked.length, seen.messages], [1, []]);
  Object.assign(says, { picks: ["$(folder) A checkout"], file: "/the/checkout" });
  assert.equal(await make(), true);
  assert.equal(says.settings["diffill.server.package"], "/the/checkout");
  assert.equal(await make(), true);
  assert.equal(seen.asked.length, 2);
  assert.equal(await installed(storage), "/the/checkout[train]\n");
});

test("another project that pip installs takes no good environment's place", async (context) => {
  const { storage, make } = await machine(context);
  says.settings = { "diffill.server.package": "/the/checkout" };
  assert.equal(await make(), true);
  says.settings = {};
  Object.assign(says, { picks: ["$(folder) A checkout"], file: "/another/project" });
  assert.equal(await make(() => assert.fail("the server was stopped")), false);
  assert.equal(await installed(storage), "/the/checkout[train]\n");
  assert.deepEqual([await readdir(storage), says.settings], [["server"], {}]);
  assert.equal(seen.messages.length, 1);
  assert.match(seen.messages[0] ?? "", /installing \/another\/project failed: .* not Diffill\..* \(\/another\/project\)/);
});

test("what tuning needs is installed, too, where pip takes that", async (context) => {
  const { storage, make } = await machine(context);
  const wanted: Record<string, string> = {
    "/w/diffill-0.1.0-py3-none-any.whl": "/w/diffill-0.1.0-py3-none-any.whl[train]",
    "checkout-by-name": "checkout-by-name[train]",
    "/the/checkout[train,dev]": "/the/checkout[train,dev]",
    "https://example.org/diffill.whl": "https://example.org/diffill.whl",
    "checkout==0.1.0": "checkout==0.1.0",
  };
  for (const [named, told] of Object.entries(wanted)) {
    says.settings = { "diffill.server.package": named };
    assert.equal(await make(), true);
    assert.equal(await installed(storage), `${told}\n`);
  }
});

test("two at once do not mix, and what ended programs left is removed", async (context) => {
  const { storage, make } = await machine(context);
  await mkdir(join(storage, "server.new"), { recursive: true });
  await mkdir(join(storage, "server.new-4194305-abcdef")); // no process has a higher number than 2 ** 22
  says.settings = { "diffill.server.package": "/the/checkout" };
  await Promise.all([make(), make()]);
  assert.equal(await installed(storage), "/the/checkout[train]\n");
  assert.deepEqual(await readdir(storage), ["server"]);
});

test("who asks again while it is being done waits for the same one", async () => {
  let times = 0;
  let finish = () => {};
  const once = oneAtATime(() => new Promise<void>((resolve) => (times++, (finish = resolve))));
  const both = [once(), once()];
  finish();
  await Promise.all(both);
  const third = once();
  finish();
  await third;
  assert.equal(times, 2);
});

test("a last line that comes in pieces is told whole", async (context) => {
  const long = "printf 'ERROR: '; head -c 200000 /dev/zero | tr '\\0' x; echo ' end'; exit 1"; // more than a pipe holds
  const { make } = await machine(context, long);
  says.settings = { "diffill.server.package": "/the/checkout" };
  assert.equal(await make(), false);
  assert.match(seen.messages[0] ?? "", /failed: ERROR: x{200000} end\./);
});

test("that another server is set is said, since the new one is not used then", async (context) => {
  const { make } = await machine(context);
  says.settings = { "diffill.server.package": "/w.whl", "diffill.server.interpreter": "/set/python" };
  assert.equal(await make(), true);
  assert.match(seen.messages[0] ?? "", /not used, because diffill\.server\.interpreter names another server \(\/set\/python\)/);
});
