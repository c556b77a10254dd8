// Which settings the server is told. The extension's own it would call unknown, so they are left
// out. In a folder that is not trusted nothing is tuned by itself, whoever switched it on. Pure.

const OURS = ["server", "trace", "confidence"];
const UNTRUSTED = { autoResume: false, keepUp: false };

/** The section `diffill` as the server may see it. */
export function forServer(section: unknown, trusted: boolean): Record<string, unknown> {
  const all = typeof section === "object" && section !== null ? Object.entries(section) : [];
  const told: Record<string, unknown> = Object.fromEntries(all.filter(([key]) => !OURS.includes(key)));
  return trusted ? told : { ...told, train: { ...(told.train as object | undefined), ...UNTRUSTED } };
}
