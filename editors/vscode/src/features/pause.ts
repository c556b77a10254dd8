// Suggestions off and on, and off for a while. The server keeps the state, and is told of it again
// when it has been started again.

import { type Disposable, window } from "vscode";
import type { Server } from "../server/server.ts";
import { SNOOZE, TOGGLE } from "../wire.ts";
import { Quiet } from "./quiet.ts";

export async function toggle(server: Server): Promise<void> {
  await server.execute(TOGGLE, [], "switch suggestions off or on");
}

export async function snooze(server: Server): Promise<void> {
  const lengths = [5, 30, 60].map((minutes) => ({ label: `${minutes} minutes`, minutes }));
  const picked = await window.showQuickPick([...lengths, { label: "No longer", minutes: 0 }], { title: "No suggestions for" });
  if (picked) await server.execute(SNOOZE, [picked.minutes], "snooze");
}

/** What was switched off or snoozed stays so over restarts of the server, whatever they are for. */
export function staysQuiet(server: Server): Disposable[] {
  const quiet = new Quiet();
  const nowMs = () => performance.now(); // as the server's clock, it may stand still while the machine sleeps
  return [
    server.onExecuted((command) => quiet.after(command, nowMs())),
    server.onLife((life) => {
      if (life !== "running") return;
      // Sent at once, so before what a person asks for meanwhile.
      for (const { command, args } of quiet.again(nowMs())) void server.peek("workspace/executeCommand", { command, arguments: args });
    }),
  ];
}
