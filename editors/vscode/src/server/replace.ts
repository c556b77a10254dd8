// Puts a folder in the place of another. What fails leaves the other where it was, and what is ended
// halfway is undone the next time, by whichever program looks. What is put aside bears the number of
// the program that is about it: as long as that runs, all others leave it alone.

import { mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

const REMOVE = { recursive: true, force: true };

/** A new folder for what is to take this one's place. What programs that are gone left is removed. */
export async function beside(folder: string): Promise<string> {
  for (const left of await leftOf(folder, "new")) await rm(left, REMOVE).catch(() => {});
  return mkdtemp(`${folder}.new-${process.pid}-`);
}

/** What programs that are gone have left beside a folder. */
async function leftOf(folder: string, kind: "new" | "old"): Promise<string[]> {
  const ours = `${basename(folder)}.${kind}`;
  const names = await readdir(dirname(folder)).catch(() => []);
  return names
    .filter((name) => {
      const [start, pid] = name.split("-");
      return start === ours && !isAlive(Number(pid ?? 0));
    })
    .map((name) => join(dirname(folder), name));
}

function isAlive(pid: number): boolean {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // somebody else's
  }
}

/** Tells one folder in this place from another; empty where there is none. */
export async function stampOf(folder: string): Promise<string> {
  return stat(folder).then(
    ({ ino, birthtimeMs }) => `${ino} ${birthtimeMs}`,
    () => "",
  );
}

/** Undo a replacement that was ended after its first half; a folder that is there is in the way of that. */
export async function putBack(folder: string): Promise<void> {
  for (const left of await leftOf(folder, "old")) await rename(left, folder).catch(() => {});
}

export async function putInPlace(made: string, folder: string): Promise<void> {
  const old = `${folder}.old-${process.pid}`;
  await putBack(folder);
  for (const left of await leftOf(folder, "old")) await rm(left, REMOVE).catch(() => {}); // another time
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
    if (had) await rename(old, folder).catch(() => rename(old, `${folder}.old`)); // where anybody may put it back
    throw error;
  }
  await rm(old, REMOVE).catch(() => {}); // the next time
}
