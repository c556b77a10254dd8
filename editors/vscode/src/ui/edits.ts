// Edits of a text, and what is left of a range around other ranges. Pure but for the types.

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

/** What is left of `whole` around `pins`, in order: the holes. */
export function around(whole: Span, pins: Span[]): Span[] {
  const holes: Span[] = [];
  let from = whole.start;
  for (const pin of pins.toSorted((a, b) => a.start - b.start)) {
    if (pin.end <= from || pin.start >= whole.end) continue;
    if (pin.start > from) holes.push({ start: from, end: pin.start });
    from = Math.max(from, pin.end);
  }
  if (from < whole.end) holes.push({ start: from, end: whole.end });
  return holes;
}

/** Pins after a change of the text; one that the change touches is gone. */
export function moved(pins: Span[], change: Span & { text: string }): Span[] {
  const by = change.text.length - (change.end - change.start);
  return pins
    .filter((pin) => change.end <= pin.start || change.start >= pin.end)
    .map((pin) => (change.end <= pin.start ? { start: pin.start + by, end: pin.end + by } : pin));
}
