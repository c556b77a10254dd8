// What a person switched off, told from the commands that were run: a server that is started again
// knows nothing of it. Follows lsp_server/pause.py. Pure: the time comes in.

import { SNOOZE, TOGGLE } from "../wire.ts";

export interface Command {
  command: string;
  args: unknown[];
}

const MINUTE_MS = 60_000;
const DEFAULT_MINUTES = 5;

export class Quiet {
  #off = false;
  #untilMs = 0;

  /** The server has done this. */
  after({ command, args }: Command, nowMs: number): void {
    const [minutes = DEFAULT_MINUTES] = args;
    if (command === SNOOZE && typeof minutes === "number") this.#untilMs = nowMs + minutes * MINUTE_MS;
    if (command !== TOGGLE) return;
    this.#off = !this.#off && this.#untilMs <= nowMs;
    if (!this.#off) this.#untilMs = 0;
  }

  /** What a server that has just started must be told. */
  again(nowMs: number): Command[] {
    const left = (this.#untilMs - nowMs) / MINUTE_MS;
    // In this order: the server would take a switch while it is snoozed for the snooze's end.
    return [...(this.#off ? [{ command: TOGGLE, args: [] }] : []), ...(left > 0 ? [{ command: SNOOZE, args: [left] }] : [])];
  }
}
