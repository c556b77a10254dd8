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

/** What pins keep of a span, in the order of the text; pins that overlap are one. */
export function kept(pins: Span[], within: Span): Span[] {
  const merged: Span[] = [];
  for (const pin of pins.toSorted((a, b) => a.start - b.start)) {
    const [start, end] = [Math.max(pin.start, within.start), Math.min(pin.end, within.end)];
    if (start >= end) continue;
    const last = merged.at(-1);
    if (last !== undefined && start < last.end) last.end = Math.max(last.end, end);
    else merged.push({ start, end });
  }
  return merged;
}

/** Pins after a change of the text; one that the change touches is gone. */
export function moved(pins: Span[], change: Span & { text: string }): Span[] {
  const by = change.text.length - (change.end - change.start);
  return pins
    .filter((pin) => change.end <= pin.start || change.start >= pin.end)
    .map((pin) => (change.end <= pin.start ? { start: pin.start + by, end: pin.end + by } : pin));
}
