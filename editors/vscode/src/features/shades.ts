// How sure the model is of each part of a suggestion, as HTML that a hover may show. Pure.
// Spans take colours of the theme; what the model did not write is left out.

import type { Confidence } from "../wire.ts";

const LEVELS: [number, string | undefined][] = [
  [0.8, undefined],
  [0.4, "--vscode-editorInfo-foreground"],
  [0, "--vscode-editorWarning-foreground"],
];
const SIGNS: Record<string, string> = { " ": "&nbsp;", "\n": "<br>" };
// Every sign, for a hover reads Markdown: __init__ would be bold, and an address a link.
const plain = (text: string) =>
  text.replaceAll("\r", "").replaceAll("\t", "    ").replaceAll(/[^\p{L}\p{M}\p{N}]/gu, (sign) => SIGNS[sign] ?? `&#${sign.codePointAt(0)};`);

/** One item's text with its doubtful parts coloured; undefined where nothing is known of it. */
export function shadedOf({ score, pieces }: Confidence["items"][number]): string | undefined {
  const written = pieces.filter(({ p }) => p !== null);
  if (written.length === 0) return undefined;
  const parts = written.map(({ text, p }) => {
    const color = LEVELS.find(([least]) => (p ?? 1) >= least)?.[1];
    return color === undefined ? plain(text) : `<span style="color:var(${color});">${plain(text)}</span>`;
  });
  return `${Math.round(score * 100)} % sure: ${parts.join("")}`;
}
