// The settings `diffill.privacy` where several folders are open. One server serves all of them and is
// told one value, so what a folder sets for itself counts everywhere, and only where it is stricter
// than the window's: more files are left alone, never fewer. Pure.

type Privacy = Record<string, unknown>;

const fields = (value: unknown): Privacy => (typeof value === "object" && value !== null ? (value as Privacy) : {});
const patterns = (value: unknown): string[] => (Array.isArray(value) ? value.filter((one) => typeof one === "string") : []);
const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

/** What is set for the window, with what is set for each folder, the window's where it has nothing of its own. */
export function strictest(forWindow: unknown, forFolders: unknown[]): unknown {
  const others = forFolders.filter((one) => !same(one, forWindow)).map(fields);
  if (others.length === 0) return forWindow;
  const window = fields(forWindow);
  const all = [window, ...others];
  // What begins with "!" would let in what another folder or the window leaves out.
  const more = others.flatMap(({ ignore }) => (same(ignore, window.ignore) ? [] : patterns(ignore).filter((line) => !line.startsWith("!"))));
  return {
    ...window,
    logCode: all.every(({ logCode }) => logCode === true),
    respectGitignore: all.some(({ respectGitignore }) => respectGitignore !== false),
    ignore: [...patterns(window.ignore), ...more],
  };
}
