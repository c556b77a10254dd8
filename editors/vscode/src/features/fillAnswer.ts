// Reads an answer to `diffill/fill`. Pure. What has no usable edits is left out.

import type { Fill } from "../wire.ts";

type Edit = Fill["edits"][number];

const isEdit = (edit: Partial<Edit> | null): edit is Edit =>
  typeof edit === "object" && edit !== null && typeof edit.newText === "string" && typeof edit.range?.start?.line === "number";

export function fillsOf(answer: unknown): { fills: Fill[]; reason: string | null } {
  const { fills, reason } = (answer ?? {}) as { fills?: unknown; reason?: unknown };
  const usable = (Array.isArray(fills) ? fills : []).filter(
    (fill): fill is Fill => Array.isArray(fill?.edits) && fill.edits.length > 0 && fill.edits.every(isEdit),
  );
  return { fills: usable, reason: typeof reason === "string" ? reason : null };
}
