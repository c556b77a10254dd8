// Suggestions off and on, and off for a while. The server keeps the state.

import { window } from "vscode";
import type { Server } from "../server/server.ts";
import { SNOOZE, TOGGLE } from "../wire.ts";

export async function toggle(server: Server): Promise<void> {
  await server.execute(TOGGLE, [], "switch suggestions off or on");
}

export async function snooze(server: Server): Promise<void> {
  const lengths = [5, 30, 60].map((minutes) => ({ label: `${minutes} minutes`, minutes }));
  const picked = await window.showQuickPick([...lengths, { label: "No longer", minutes: 0 }], { title: "No suggestions for" });
  if (picked) await server.execute(SNOOZE, [picked.minutes], "snooze");
}
