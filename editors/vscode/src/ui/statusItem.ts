// The status item: draws what the server says of itself, anew after every answer, and of its run.

import { type Disposable, StatusBarAlignment, ThemeColor, window } from "vscode";
import { describeProgress } from "../features/tuneView.ts";
import type { Server } from "../server/server.ts";
import { STATUS, type Status } from "../wire.ts";
import { view } from "./statusView.ts";

const COLORS = {
  normal: undefined,
  warning: new ThemeColor("statusBarItem.warningBackground"),
  error: new ThemeColor("statusBarItem.errorBackground"),
};

export function statusItem(server: Server): Disposable[] {
  const item = window.createStatusBarItem("diffill.status", StatusBarAlignment.Right, 90);
  item.name = "Diffill";
  item.command = "diffill.menu";
  let status: Status | undefined;
  let lastMs: number | undefined;
  let tuning: string | undefined;
  let asking = false;
  let again = false;

  const draw = () => {
    const seen = view(server.life, status, lastMs, tuning);
    item.text = seen.text;
    item.tooltip = seen.tooltip;
    item.backgroundColor = COLORS[seen.level];
    item.show();
  };
  const ask = async (): Promise<void> => {
    if (asking) {
      again = true; // one question at a time; the last one sees the newest state
      return;
    }
    asking = true;
    do {
      again = false;
      status = (await server.peek<Status>(STATUS)) ?? status;
    } while (again);
    asking = false;
    draw();
  };
  draw();
  return [
    item,
    server.onLife((life) => {
      if (life === "starting") status = lastMs = undefined;
      if (life !== "running") tuning = undefined; // a run ends with its server
      draw();
      if (life === "running") void ask();
    }),
    server.onStatus((pushed) => {
      status = pushed;
      draw();
    }),
    server.onAnswered((tookMs) => {
      lastMs = tookMs;
      void ask();
    }),
    server.onTold(() => void ask()),
    server.onTraining((event) => {
      tuning = describeProgress(event, tuning);
      draw();
      void ask(); // what it made may be served by now
    }),
  ];
}
