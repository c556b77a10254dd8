// The section `diffill`: what the server is told of it, and the extension's own settings, checked.
// The extension's own the server would call unknown, so they are left out. In a folder that is not
// trusted nothing is tuned by itself, whoever switched it on. Pure.

const OURS = ["server", "trace", "confidence"];
const UNTRUSTED = { autoResume: false, keepUp: false };

/** The section `diffill` as the server may see it. */
export function forServer(section: unknown, trusted: boolean): Record<string, unknown> {
  const all = typeof section === "object" && section !== null ? Object.entries(section) : [];
  const told: Record<string, unknown> = Object.fromEntries(all.filter(([key]) => !OURS.includes(key)));
  return trusted ? told : { ...told, train: { ...(told.train as object | undefined), ...UNTRUSTED } };
}

/** A setting that VS Code lets through though it is of another type; the message says what it must be. */
export class WrongSetting extends Error {
  readonly setting: string;

  constructor(setting: string, value: unknown, must: string) {
    super(`${setting} is ${JSON.stringify(value)}, and must be ${must}.`);
    this.setting = setting;
  }
}

/** A setting that is a text; null is "not set". */
export function textOf(setting: string, value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw new WrongSetting(setting, value, "a text in quotes");
  return value;
}

/** A setting that is a list of texts; null is "not set". */
export function textsOf(setting: string, value: unknown): string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || value.some((one) => typeof one !== "string"))
    throw new WrongSetting(setting, value, 'a list of texts, such as ["--log-level", "debug"]');
  return value as string[];
}
