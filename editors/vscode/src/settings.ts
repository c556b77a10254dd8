// Which settings are the extension's own. The server would call them unknown, so they are left out
// of what it is told.

const OURS = ["server", "trace", "confidence"];

/** The section `diffill` as the server may see it. */
export function forServer(section: unknown): Record<string, unknown> {
  if (typeof section !== "object" || section === null) return {};
  return Object.fromEntries(Object.entries(section).filter(([key]) => !OURS.includes(key)));
}
