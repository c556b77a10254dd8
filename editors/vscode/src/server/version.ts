// Whether a server is new enough. A server that does not say its version is taken as it is.

export const OLDEST_SERVER = "0.1.0";

export function isTooOld(version: string | undefined, oldest = OLDEST_SERVER): boolean {
  const parts = (text: string) => text.split(/[.+-]/).slice(0, 3).map((part) => Number.parseInt(part, 10));
  const [have, need] = [parts(version ?? ""), parts(oldest)];
  if (have.length < 3 || have.some(Number.isNaN)) return false;
  for (const [index, part] of need.entries()) {
    const difference = (have[index] ?? 0) - part;
    if (difference !== 0) return difference < 0;
  }
  return false;
}
