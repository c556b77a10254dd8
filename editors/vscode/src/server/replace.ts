// Puts a folder in the place of another. What fails leaves the other where it was, and what is ended
// halfway is undone the next time.

import { mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

const REMOVE = { recursive: true, force: true };

/** A new folder for what is to take this one's place. What programs that are gone left is removed. */
export async function beside(folder: string): Promise<string> {
  const ours = `${basename(folder)}.new`;
  for (const name of await readdir(dirname(folder))) {
    const [start, pid] = name.split("-");
    if (start === ours && !isAlive(Number(pid ?? 0))) await rm(join(dirname(folder), name), REMOVE).catch(() => {});
  }
  return mkdtemp(`${folder}.new-${process.pid}-`);
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // somebody else's
  }
}

/** Undo a replacement that was ended after its first half; a folder that is there is in the way of that. */
export async function putBack(folder: string): Promise<void> {
  await rename(`${folder}.old`, folder).catch(() => {});
}

export async function putInPlace(made: string, folder: string): Promise<void> {
  const old = `${folder}.old`;
  await putBack(folder);
  await rm(old, REMOVE);
  const had = await rename(folder, old).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOENT") throw error;
      return false;
    },
  );
  try {
    // Only its interpreter is run, which may be moved; the scripts beside it name where they were made.
    await rename(made, folder);
  } catch (error) {
    if (had) await rename(old, folder);
    throw error;
  }
  await rm(old, REMOVE).catch(() => {}); // the next time
}
