// The levels of the server's log lines, which come over stderr. A line without one, of a traceback
// say, has the level of the line before it. Pure.

export type Level = "debug" | "info" | "warn" | "error";

const LEVELS: Record<string, Level> = { DEBUG: "debug", INFO: "info", WARNING: "warn", ERROR: "error", CRITICAL: "error" };
const HEAD = /^\d{4}-\d\d-\d\d [\d:,.]+ (DEBUG|INFO|WARNING|ERROR|CRITICAL) /;

/** Tells levels line by line; what comes before the first log line is an error of the interpreter's. */
export function leveller(): (line: string) => { level: Level; text: string } {
  let level: Level = "error";
  return (line) => {
    const head = HEAD.exec(line);
    if (head === null) return { level, text: line };
    level = LEVELS[head[1] ?? ""] ?? "error";
    return { level, text: line.slice(head[0].length) }; // VS Code writes time and level itself
  };
}
