// Words for what the server says of tuning. Pure; every field may be missing.

type Json = Record<string, unknown>;

const number = (json: Json, ...keys: string[]): number | undefined => {
  const found = keys.map((key) => json[key]).find((value) => typeof value === "number");
  return found as number | undefined;
};
const text = (json: Json, ...keys: string[]): string | undefined => {
  const found = keys.map((key) => json[key]).find((value) => typeof value === "string" && value !== "");
  return found as string | undefined;
};
const count = (json: Json, key: string): number | undefined =>
  Array.isArray(json[key]) ? (json[key] as unknown[]).length : number(json, key);
const percent = (share: number) => `${(share * 100).toFixed(1)} %`;

export function describePlan(plan: Json): { title: string; detail: string; possible: boolean } {
  const files = count(plan, "files");
  const lines: string[] = [];
  const tokens = number(plan, "tokens");
  const minutes = number(plan, "minutes", "expectedMinutes", "expected_minutes", "mostMinutes", "most_minutes");
  const excluded = plan.excluded;
  if (files !== undefined) lines.push(`${files} files${tokens === undefined ? "" : `, ${tokens} tokens`}`);
  if (minutes !== undefined) lines.push(`about ${Math.max(1, Math.round(minutes))} minutes, at low priority`);
  if (Array.isArray(excluded) && excluded.length > 0) {
    lines.push(`left out: ${excluded.length} files, for example`);
    for (const one of (excluded as Json[]).slice(0, 5)) lines.push(`  ${text(one, "path", "file") ?? "?"}: ${text(one, "reason") ?? ""}`);
  } else if (typeof excluded === "object" && excluded !== null)
    for (const [reason, many] of Object.entries(excluded)) lines.push(`left out, ${reason}: ${many}`);
  if (Array.isArray(plan.notes)) lines.push(...plan.notes.map(String));
  const reason = text(plan, "reason");
  if (reason) lines.push(reason);
  return { title: "Tune Diffill on this repository?", detail: lines.join("\n"), possible: !reason && files !== 0 };
}

export function describeProgress(event: Json): string {
  const parts = [text(event, "message") ?? text(event, "state", "event") ?? "tuning"];
  const loss = number(event, "loss");
  const before = number(event, "exactBefore", "before");
  const after = number(event, "exactAfter", "after");
  const left = number(event, "secondsLeft", "etaSeconds");
  if (loss !== undefined) parts.push(`loss ${loss.toFixed(2)}`);
  if (before !== undefined && after !== undefined) parts.push(`exact ${percent(before)} -> ${percent(after)}`);
  if (left !== undefined) parts.push(`${Math.ceil(left / 60)} min left`);
  return parts.join(", ");
}

const ENDS = ["done", "finished", "stopped", "failed", "published", "rejected", "error"];

export const hasEnded = (event: Json): boolean => ENDS.includes(text(event, "state", "event") ?? "");

/** How much is done, 0 to 1. */
export function progressShare(event: Json): number {
  const share = number(event, "share", "progress");
  const [step, steps] = [number(event, "step"), number(event, "steps", "totalSteps")];
  const done = share ?? (step !== undefined && steps ? step / steps : 0);
  return Math.min(1, Math.max(0, done));
}

export interface Model {
  id: string;
  label: string;
  description: string;
  selected: boolean;
  deletable: boolean;
}

export function modelsOf(answer: unknown): Model[] {
  const list = Array.isArray(answer) ? answer : (answer as { models?: unknown } | null)?.models;
  return (Array.isArray(list) ? (list as Json[]) : []).flatMap((json) => {
    const id = text(json, "id", "name");
    if (id === undefined) return [];
    const score = number(json, "score", "exactAfter");
    const kind = text(json, "kind") ?? "";
    return [
      {
        id,
        label: text(json, "label", "name") ?? id,
        description: [kind, score === undefined ? "" : percent(score), text(json, "made", "date") ?? ""].filter(Boolean).join(", "),
        selected: json.selected === true || json.active === true,
        deletable: kind !== "base" && kind !== "bundled",
      },
    ];
  });
}
