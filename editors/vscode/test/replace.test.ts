import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { putBack, putInPlace, stampOf } from "../src/server/replace.ts";

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
const GONE = 4194305; // no process has a higher number than 2 ** 22
const was = (folder: string) => readFile(join(folder, "server", "was"), "utf8");

test("a folder takes the place of another, and nothing is left beside it", async (context) => {
  for (const there of [[], ["server"], ["server", "server.old"], ["server", `server.old-${GONE}`], ["server", `server.old-${process.pid}`]]) {
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

test("a replacement that another program is about is not undone, and one that it left is", async (context) => {
  const folder = await home(context, `server.old-${process.ppid}`);
  await putBack(join(folder, "server"));
  assert.deepEqual(await readdir(folder), [`server.old-${process.ppid}`]);
  await rename(join(folder, `server.old-${process.ppid}`), join(folder, `server.old-${GONE}`));
  await putBack(join(folder, "server"));
  assert.deepEqual(await readdir(folder), ["server"]);
});

test("who starts servers in the middle of replacements does not undo half of one", async (context) => {
  const folder = await home(context, "server");
  const place = join(folder, "server");
  let over = false;
  const starting = Array.from({ length: 4 }, async () => {
    while (!over) await putBack(place); // as every start does
  });
  try {
    for (let times = 0; times < 40; times++) {
      await mkdir(join(folder, "server.new"));
      await writeFile(join(folder, "server.new", "was"), `${times}`);
      await putInPlace(join(folder, "server.new"), place);
      assert.equal(await was(folder), `${times}`);
    }
  } finally {
    over = true;
    await Promise.all(starting);
  }
});

test("a folder that takes another one's place is told from it", async (context) => {
  const folder = await home(context, "server.new", "server");
  const place = join(folder, "server");
  const before = await stampOf(place);
  assert.equal(await stampOf(place), before);
  await putInPlace(join(folder, "server.new"), place);
  assert.notEqual(await stampOf(place), before);
  assert.equal(await stampOf(join(folder, "nowhere")), "");
});
