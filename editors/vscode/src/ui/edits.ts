// Edits of a text, and ranges that move with it. Pure but for the types.

import type { Range } from "vscode";

export interface Edit {
  range: Range;
  text: string;
}

export interface Span {
  start: number;
  end: number;
}

/** The text with edits applied; they may come in any order but must not overlap. */
export function applyEdits(text: string, edits: (Span & { text: string })[]): string {
  let result = text;
  for (const edit of edits.toSorted((a, b) => b.start - a.start || b.end - a.end))
    result = result.slice(0, edit.start) + edit.text + result.slice(edit.end);
  return result;
}

/** Whether a text still holds all the pinned ones, in their order. */
export function holds(text: string, pinned: string[]): boolean {
  let from = 0;
  for (const one of pinned) {
    const at = text.indexOf(one, from);
    if (at < 0) return false;
    from = at + one.length;
  }
  return true;
}

/** Pins after a change of the text; one that the change touches is gone. */
export function moved(pins: Span[], change: Span & { text: string }): Span[] {
  const by = change.text.length - (change.end - change.start);
  return pins
    .filter((pin) => change.end <= pin.start || change.start >= pin.end)
    .map((pin) => (change.end <= pin.start ? { start: pin.start + by, end: pin.end + by } : pin));
}
