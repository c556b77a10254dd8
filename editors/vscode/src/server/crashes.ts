// When to start a server again that ended by itself: up to `limit` times within `windowMs`.

export class Crashes {
  readonly limit: number;
  readonly windowMs: number;
  #times: number[] = [];

  constructor(limit = 3, windowMs = 180_000) {
    this.limit = limit;
    this.windowMs = windowMs;
  }

  /** Note one more; whether to start again. */
  restartAfter(nowMs: number): boolean {
    this.#times = [...this.#times.filter((time) => nowMs - time < this.windowMs), nowMs];
    return this.#times.length <= this.limit;
  }
}
