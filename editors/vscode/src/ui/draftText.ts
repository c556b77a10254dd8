// A draft as text: what is filled already, and a block for each slot that is still open. Pure. What
// is no draft has no holes.

import type { Range } from "vscode-languageclient";
import type { Draft } from "../wire.ts";

const OPEN = "\u2592"; // a grey block
const NOT_YET = "\u2026"; // an ellipsis: its turn has not come
const NEWLINE = " \u21b5 ";

export interface DraftedHole {
  range: Range;
  text: string;
}

/** Every hole of a draft with what would stand there. */
export function draftedHoles(draft: unknown): DraftedHole[] {
  const { ranges, texts } = (draft ?? {}) as Partial<Draft>;
  if (!Array.isArray(ranges) || !Array.isArray(texts) || ranges.length !== texts.length) return [];
  return ranges.map((range, index) => ({ range, text: (texts[index] ?? []).map(piece).join("") }));
}

/** For a place that has room for one line only. */
export const inOneLine = (text: string): string => text.replaceAll(/\s*\n\s*/g, NEWLINE);

const piece = (one: string | number): string => (typeof one === "string" ? one : one === 0 ? NOT_YET : OPEN.repeat(one));
