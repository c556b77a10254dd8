// Waiting for a program that may never answer, and getting rid of it. Nothing here knows the editor.

import type { ChildProcess } from "node:child_process";

const ALWAYS_WANTED = new AbortController().signal;

/** What `work` comes to, or why it was not waited for any longer. What it fails with, this fails with. */
export async function whileWanted<T>(work: Promise<T>, limitMs: number, unwanted = ALWAYS_WANTED): Promise<T | "late" | "unwanted"> {
  let done = () => {};
  const given = new Promise<"late" | "unwanted">((resolve) => {
    const timer = setTimeout(() => resolve("late"), limitMs);
    const leave = () => resolve("unwanted");
    unwanted.addEventListener("abort", leave);
    if (unwanted.aborted) leave();
    done = () => {
      clearTimeout(timer);
      unwanted.removeEventListener("abort", leave);
    };
  });
  try {
    return await Promise.race([work, given]);
  } finally {
    done();
  }
}

/** End a program at once. What it has started may hold its pipes, so they are closed, too. */
export function end(child: ChildProcess | undefined): void {
  child?.kill("SIGKILL");
  for (const pipe of child?.stdio ?? []) pipe?.destroy();
}
