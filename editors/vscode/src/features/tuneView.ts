// Words for what the server says of tuning and of models. Pure; every field may be missing.

type Json = Record<string, unknown>;

const number = (json: Json, key: string): number | undefined =>
  typeof json[key] === "number" ? (json[key] as number) : undefined;
const text = (json: Json, key: string): string | undefined =>
  typeof json[key] === "string" && json[key] !== "" ? (json[key] as string) : undefined;
const object = (json: Json, key: string): Json =>
  typeof json[key] === "object" && json[key] !== null ? (json[key] as Json) : {};
const SHOWN = 3; // of the paths that are left out for one reason
const percent = (share: number) => `${(share * 100).toFixed(1)} %`;

export interface Plan {
  title: string;
  detail: string;
  /** Whether there is anything to tune on. */
  possible: boolean;
}

/** The first few of the files that are left out for a reason. */
function some(plan: Json, reason: string, many: number): string {
  const all = Array.isArray(plan.excluded_paths) ? (plan.excluded_paths as Json[]) : [];
  const paths = all.filter((one) => text(one, "reason") === reason).flatMap((one) => text(one, "path") ?? []).slice(0, SHOWN);
  return paths.length === 0 ? "" : ` (${paths.join(", ")}${many > paths.length ? ", ..." : ""})`;
}

export function describePlan(plan: Json): Plan {
  const [files, heldOut, tokens] = [number(plan, "files"), number(plan, "held_out_files"), number(plan, "tokens")];
  const minutes = number(plan, "expected_minutes") ?? number(plan, "most_minutes");
  const root = text(plan, "root");
  const lines: string[] = root === undefined ? [] : [root];
  if (files !== undefined) lines.push(`${files} files${tokens === undefined ? "" : `, ${tokens} tokens`} to learn from`);
  if (heldOut !== undefined) lines.push(`${heldOut} files held out to measure on`);
  if (minutes !== undefined) lines.push(`about ${Math.max(1, Math.round(minutes))} minutes, at low priority`);
  for (const [reason, many] of Object.entries(object(plan, "excluded"))) lines.push(`left out: ${many} ${reason.replaceAll("_", " ")}${some(plan, reason, Number(many))}`);
  if (Array.isArray(plan.notes)) lines.push(...plan.notes.map(String));
  return { title: "Tune Diffill on this repository?", detail: lines.join("\n"), possible: files !== 0 };
}

const gain = (figures: Json): string => {
  const heldOut = object(figures, "held_out");
  const [before, after] = [number(heldOut, "exact_match_before"), number(heldOut, "exact_match_after")];
  if (before !== undefined && after !== undefined) return `exact on held-out files ${percent(before)} -> ${percent(after)}`;
  const [lossBefore, lossAfter] = [number(figures, "loss_before"), number(figures, "loss_after")];
  if (lossBefore === undefined || lossAfter === undefined) return "";
  return `loss on held-out files ${lossBefore.toFixed(2)} -> ${lossAfter.toFixed(2)}`;
};

/** One line about a run: its state or newest event. */
export function describeRun(run: Json): string {
  const parts = [text(run, "state") ?? text(run, "event") ?? "no run"];
  const [loss, left] = [number(run, "loss"), number(run, "eta_minutes")];
  if (loss !== undefined) parts.push(`loss ${loss.toFixed(2)}`);
  if (left !== undefined) parts.push(`${Math.ceil(left)} min left`);
  const message = text(run, "message");
  return parts.join(", ") + (message === undefined ? "" : `: ${message}`);
}

const OVER = ["done", "stopped", "failed"];
const WORDS: Record<string, string> = {
  train: "tuning",
  validation: "tuning",
  resumed: "tuning",
  plan: "planning",
  choosing_rate: "choosing a rate",
  rate: "tuning",
};

/** A word or two about a run at work, after an event; `before` is what they were. */
export function describeProgress(event: Json, before?: string): string | undefined {
  const kind = text(event, "event");
  if (kind === undefined || kind === "warning") return before;
  if (OVER.includes(kind)) return undefined;
  const [done, of] = [number(event, "done"), number(event, "of")];
  const share = done !== undefined && of ? done / of : number(event, "progress");
  return `${WORDS[kind] ?? kind}${share === undefined ? "" : ` ${Math.floor(100 * share)} %`}`;
}

/**
 * What to say when a run is over; undefined for other events, for a failure, which the server says, and
 * for a run that nobody asked for, unless an adapter came of it.
 */
export function describeEnd(event: Json): string | undefined {
  if (event.byItself === true && text(event, "adapter") === undefined) return undefined;
  if (text(event, "event") === "stopped") return ["tuning stopped", text(event, "message")].filter(Boolean).join(": ");
  if (text(event, "event") !== "done") return undefined;
  const adapter = text(event, "adapter");
  if (adapter === undefined) return text(event, "message") ?? "nothing was gained, so nothing was kept";
  return [`tuning ${adapter} is ready`, gain(object(event, "figures")), notUsed(event)].filter(Boolean).join("; ");
}

/** That what was made or chosen is not used, and why; undefined if it is, or the server does not say. */
export function notUsed(json: Json): string | undefined {
  const why = text(json, "notServed");
  return why && `it is not used: ${why}`;
}

/** What to say when a model was chosen. */
export function describeChoice(name: string | null, answer: Json): string {
  const [what, why] = [name ?? "the model without tuning", notUsed(answer)];
  return why ? `${what} is chosen, but ${why}` : `${what} is used from now on`;
}

export interface Model {
  /** null: the base model. */
  name: string | null;
  label: string;
  description: string;
  selected: boolean;
  served: boolean;
}

/** The base model and what tuning made of it. Which is chosen is told only where it is not what is served. */
export function modelsOf(answer: unknown): Model[] {
  const json = (answer ?? {}) as Json;
  const adapters = (Array.isArray(json.adapters) ? (json.adapters as Json[]) : []).flatMap((one): Model[] => {
    const name = text(one, "name");
    if (name === undefined) return [];
    const [selected, served] = [one.selected === true, one.served === true];
    const description = [chosen(selected, served), text(one, "problem"), gain(object(one, "figures")), text(one, "created")?.slice(0, 10)];
    return [{ name, label: name, description: description.filter(Boolean).join("; "), selected, served }];
  });
  const selected = !adapters.some((one) => one.selected);
  const served = typeof json.baseServed === "boolean" ? json.baseServed : !adapters.some((one) => one.served);
  const label = `${text(json, "base") ?? "bundled"} model, not tuned`;
  return [{ name: null, label, description: chosen(selected, served), selected, served }, ...adapters];
}

const chosen = (selected: boolean, served: boolean): string => (selected && !served ? "chosen, but not used" : "");

/** Why what the settings ask for is not served; undefined if it is. */
export const problemOf = (answer: unknown): string | undefined => {
  const problem = text((answer ?? {}) as Json, "problem");
  return problem && `Not used: ${problem}`;
};
