// Suggestions off and on, and off for a while. The server keeps the state.

import { window } from "vscode";
import type { Server } from "../server/server.ts";
import { SNOOZE, TOGGLE } from "../wire.ts";

const EXECUTE = "workspace/executeCommand";

export async function toggle(server: Server): Promise<void> {
  await server.ask(EXECUTE, { command: TOGGLE, arguments: [] }, "switch suggestions off or on");
}

export async function snooze(server: Server): Promise<void> {
  const picked = await window.showQuickPick(
    [5, 30, 60].map((minutes) => ({ label: `${minutes} minutes`, minutes })),
    { title: "No suggestions for" },
  );
  if (picked) await server.ask(EXECUTE, { command: SNOOZE, arguments: [picked.minutes] }, "snooze");
}
