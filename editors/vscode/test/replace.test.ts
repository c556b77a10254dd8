import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { putInPlace } from "../src/server/replace.ts";

/** A folder with these folders in it, each of which holds a file that says which it was. */
async function home(context: TestContext, ...names: string[]): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "diffill-"));
  context.after(() => rm(folder, { recursive: true }));
  for (const name of names) {
    await mkdir(join(folder, name));
    await writeFile(join(folder, name, "was"), name);
  }
  return folder;
}
const was = (folder: string) => readFile(join(folder, "server", "was"), "utf8");

test("a folder takes the place of another, and nothing is left beside it", async (context) => {
  for (const there of [[], ["server"], ["server", "server.old"]]) {
    const folder = await home(context, "server.new", ...there);
    await putInPlace(join(folder, "server.new"), join(folder, "server"));
    assert.equal(await was(folder), "server.new");
    assert.deepEqual(await readdir(folder), ["server"]);
  }
});

test("a replacement that was ended halfway is undone before the next one", async (context) => {
  const folder = await home(context, "server.old");
  await assert.rejects(putInPlace(join(folder, "server.new"), join(folder, "server")), { code: "ENOENT" });
  assert.equal(await was(folder), "server.old");
  assert.deepEqual(await readdir(folder), ["server"]);
});

test("where that fails, the other stays", async (context) => {
  const folder = await home(context, "server");
  await assert.rejects(putInPlace(join(folder, "server.new"), join(folder, "server")), { code: "ENOENT" });
  assert.equal(await was(folder), "server");
  assert.deepEqual(await readdir(folder), ["server"]);
});
