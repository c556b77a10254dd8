// Tuning on the repository: plan, start, follow, pause, stop; and choosing what it made. The server
// does the work; this shows it.

import { type Disposable, type Progress, ProgressLocation, ThemeIcon, window, workspace } from "vscode";
import type { Server } from "../server/server.ts";
import { MODEL, TRAIN } from "../wire.ts";
import { describePlan, describeProgress, hasEnded, modelsOf, progressShare } from "./tuneView.ts";

type Json = Record<string, unknown>;

export class Tuning implements Disposable {
  readonly #server: Server;
  readonly #following: Disposable[];
  #report: ((event: Json) => void) | undefined;

  constructor(server: Server) {
    this.#server = server;
    this.#following = [
      server.onTraining((event) => {
        if (this.#report === undefined && !hasEnded(event)) void this.#follow();
        this.#report?.(event);
      }),
    ];
  }

  /** Show what would be read and how long it would take; start if that is right. */
  async plan(): Promise<void> {
    if (!workspace.isTrusted) {
      void window.showWarningMessage("Diffill: trust this folder first; tuning reads its files.");
      return;
    }
    const plan = await this.#ask<Json>("plan", "tune on a repository");
    if (plan === undefined) return;
    const { title, detail, possible } = describePlan(plan);
    const answer = await window.showInformationMessage(title, { modal: true, detail }, ...(possible ? ["Start"] : []));
    if (answer !== "Start") return;
    if ((await this.#ask<Json>("start", "tune on a repository")) !== undefined) await this.#follow();
  }

  async control(): Promise<void> {
    const status = await this.#ask<Json>("status", "tune on a repository");
    if (status === undefined) return;
    const picked = await window.showQuickPick(
      [
        { label: "Pause", method: "pause" },
        { label: "Resume", method: "resume" },
        { label: "Stop", method: "stop" },
      ],
      { title: describeProgress(status) },
    );
    if (picked) await this.#ask(picked.method, "tune on a repository");
  }

  async selectModel(): Promise<void> {
    const answer = await this.#server.ask<unknown>(`${MODEL}list`, {}, "list its models");
    if (answer === undefined) return;
    const models = modelsOf(answer);
    if (models.length === 0) {
      void window.showInformationMessage("Diffill: there is nothing to choose from yet; tune on this repository first.");
      return;
    }
    const remove = { iconPath: new ThemeIcon("trash"), tooltip: "Delete" };
    const pick = window.createQuickPick<{ label: string; description: string; id: string }>();
    pick.title = "Model, or what tuning made of it";
    pick.items = models.map(({ id, label, description, selected, deletable }) => ({
      id,
      label: `${selected ? "$(check) " : ""}${label}`,
      description,
      buttons: deletable ? [remove] : [],
    }));
    pick.onDidAccept(async () => {
      const [item] = pick.selectedItems;
      pick.hide();
      if (item) await this.#server.ask(`${MODEL}select`, { id: item.id, name: item.id }, "choose a model");
    });
    pick.onDidTriggerItemButton(async ({ item }) => {
      pick.hide();
      const sure = await window.showWarningMessage(`Delete ${item.label}?`, { modal: true }, "Delete");
      if (sure) await this.#server.ask(`${MODEL}delete`, { id: item.id, name: item.id }, "delete a tuning");
    });
    pick.onDidHide(() => pick.dispose());
    pick.show();
  }

  dispose(): void {
    for (const one of this.#following) one.dispose();
  }

  #ask<T>(method: string, what: string): Promise<T | undefined> {
    const folders = (workspace.workspaceFolders ?? []).map(({ uri }) => uri.toString());
    return this.#server.ask<T>(TRAIN + method, { workspaceFolder: folders[0] ?? null }, what);
  }

  /** A notification that lives until the training ends; its cancel button stops it. */
  async #follow(): Promise<void> {
    if (this.#report !== undefined) return;
    const location = ProgressLocation.Notification;
    await window.withProgress({ location, title: "Diffill: tuning", cancellable: true }, (progress: Progress<{ message: string; increment?: number }>, token) => {
      token.onCancellationRequested(() => void this.#ask("stop", "stop tuning"));
      let at = 0;
      return new Promise<void>((resolve) => {
        const life = this.#server.onLife((state) => state !== "running" && resolve());
        this.#report = (event) => {
          const share = progressShare(event);
          progress.report({ message: describeProgress(event), increment: Math.max(0, share * 100 - at) });
          at = Math.max(at, share * 100);
          if (!hasEnded(event)) return;
          life.dispose();
          resolve();
          void window.showInformationMessage(`Diffill: ${describeProgress(event)}`);
        };
      });
    });
    this.#report = undefined;
  }
}
