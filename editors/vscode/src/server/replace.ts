// Puts a folder in the place of another. What fails leaves the other where it was.

import { rename, rm } from "node:fs/promises";

export async function putInPlace(made: string, folder: string): Promise<void> {
  const old = `${folder}.old`;
  await rm(old, { recursive: true, force: true });
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
  await rm(old, { recursive: true, force: true }).catch(() => {}); // the next time
}
