// What the status item says. Pure: a status in, words out.

import type { Status } from "../wire.ts";

export interface View {
  text: string;
  tooltip: string;
  level: "normal" | "warning" | "error";
}

const ICONS: Record<string, string> = {
  Normal: "$(sparkle)",
  Loading: "$(loading~spin)",
  Training: "$(flame)",
  Inactive: "$(circle-slash)",
  Error: "$(error)",
};

const ms = (value: number) => `${Math.round(value)} ms`;

/**
 * `life` is the process, `status` what it last said, `lastMs` how long the last answer took,
 * `tuning` a word or two about a run that is at work.
 */
export function view(life: string, status: Status | undefined, lastMs: number | undefined, tuning?: string): View {
  if (life === "starting") return { text: "$(loading~spin) Diffill", tooltip: "Diffill: the server is starting", level: "normal" };
  if (life === "failed") return { text: "$(error) Diffill", tooltip: "Diffill: the server is not running. Press to see what can be done.", level: "error" };
  if (life === "stopped") return { text: "$(circle-slash) Diffill", tooltip: "Diffill: stopped", level: "normal" };
  if (status === undefined) return { text: "$(sparkle) Diffill", tooltip: "Diffill: running", level: "normal" };
  const lines = [`Diffill: ${status.message || status.kind}`];
  if (status.model) lines.push(`Model: ${status.model}${status.adapter ? `, tuned: ${status.adapter}` : ""}`);
  if (tuning !== undefined) lines.push(`On this repository: ${tuning}`);
  if (lastMs !== undefined) lines.push(`Last answer: ${ms(lastMs)}`);
  if (typeof status.p50 === "number" && typeof status.p95 === "number")
    lines.push(`Answers so far: half within ${ms(status.p50)}, 95 % within ${ms(status.p95)}`);
  if (status.reason) lines.push(`Nothing was shown last: ${status.reason}`);
  const problems = status.problems ?? [];
  for (const problem of problems) lines.push(`Setting: ${problem}`);
  const { adapterProblem } = status; // of the adapter or the GPU; the settings' own is told with them
  const isTold = !adapterProblem || problems.some((problem) => problem.includes(adapterProblem));
  if (!isTold) lines.push(`Problem: ${adapterProblem}`);
  const time = lastMs !== undefined && status.kind === "Normal" ? ` ${ms(lastMs)}` : "";
  const kind = tuning !== undefined && status.kind === "Normal" ? "Training" : status.kind;
  const troubled = problems.length > 0 || !isTold;
  return {
    text: `${ICONS[kind] ?? "$(sparkle)"} Diffill${tuning === undefined ? time : ` ${tuning}`}`,
    tooltip: lines.join("\n"),
    level: status.kind === "Error" ? "error" : troubled ? "warning" : "normal",
  };
}
