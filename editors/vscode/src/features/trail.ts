// The trail of the last request as a page of Markdown. Pure.

import type { Trail } from "../wire.ts";

const cell = (text: string) => text.replaceAll("|", "\\|").replaceAll("\n", " ");

export function page(trail: Trail | null): string {
  if (trail === null) return "# Nothing was asked yet\n\nType in a file of a language that Diffill serves, then ask again.\n";
  const { line, character } = trail.position;
  const lines = [
    `# ${trail.shown > 0 ? `${trail.shown} shown` : "Nothing was shown"}`,
    "",
    trail.message ? `${trail.message}.` : "",
    "",
    `${trail.uri}, line ${line + 1}, column ${character + 1}, ${trail.language || "no language"}; ` +
      `asked ${trail.automatic ? "while typing" : "by key"}, answered after ${Math.round(trail.ms)} ms.`,
    "",
    "| Stage | ms |",
    "| --- | ---: |",
    ...trail.stages.map(({ name, ms }) => `| ${cell(name)} | ${ms.toFixed(1)} |`),
    "",
  ];
  if (trail.candidates.length > 0)
    lines.push(
      "| Candidate | Score | Lines | Characters | Dropped by | Why |",
      "| --- | ---: | ---: | ---: | --- | --- |",
      ...trail.candidates.map(
        (one, index) =>
          `| ${index + 1}${one.quoted ? ", quoted" : ""} | ${one.score.toFixed(2)} | ${one.lines} | ${one.characters} | ` +
          `${cell(one.droppedBy ?? "")} | ${cell(one.why ?? "")} |`,
      ),
      "",
    );
  return lines.join("\n");
}
