// Another text for a span of which some pieces stay, as edits of what lies between the pieces: what
// moves with the text, such as a pin, stays with its piece. Pure.

import type { Span } from "./edits.ts";

/**
 * The edits that make `text` of the span `whole`, which holds `old`; undefined if not every piece is
 * in it, in their order. One for each gap, the last one behind the last piece, even if it is empty.
 */
export function between(whole: Span, pieces: Span[], old: string, text: string): (Span & { text: string })[] | undefined {
  const texts = pieces.map(({ start, end }) => old.slice(start - whole.start, end - whole.start));
  const last = lastPlaces(text, texts);
  if (last === undefined) return undefined;
  const edits: (Span & { text: string })[] = [];
  let [start, from] = [whole.start, 0];
  for (const [index, piece] of pieces.entries()) {
    const kept = texts[index] ?? "";
    const at = nearest(text, kept, { start: from, end: last[index] ?? from }, from + piece.start - start);
    if (piece.start > start || at > from) edits.push({ start, end: piece.start, text: text.slice(from, at) });
    [start, from] = [piece.end, at + kept.length];
  }
  return [...edits, { start, end: whole.end, text: text.slice(from) }];
}

/** The last place at which each can stand, so that the ones behind it still have room. */
function lastPlaces(text: string, texts: string[]): number[] | undefined {
  const places: number[] = [];
  let end = text.length;
  for (const one of texts.toReversed()) {
    end = one.length > end ? -1 : text.lastIndexOf(one, end - one.length);
    if (end < 0) return undefined;
    places.unshift(end);
  }
  return places;
}

/** Where one stands within a span, which ends at such a place: as near as can be to where it would be if nothing had moved. */
function nearest(text: string, one: string, within: Span, wanted: number): number {
  let best = within.end;
  for (let at = text.indexOf(one, within.start); at >= 0 && at < within.end; at = text.indexOf(one, at + 1))
    if (Math.abs(at - wanted) <= Math.abs(best - wanted)) best = at;
  return best;
}
