// Tuning on the repository: plan, start, pause, stop; and choosing what it made. The server does the
// work and shows its progress; this asks, and says how it ended.

import { type Disposable, ProgressLocation, ThemeIcon, window, workspace } from "vscode";
import type { Server } from "../server/server.ts";
import { MODEL, TRAIN } from "../wire.ts";
import { describeEnd, describePlan, describeRun, modelsOf, type Model } from "./tuneView.ts";

type Json = Record<string, unknown>;
const TUNE = "tune on a repository";

export class Tuning implements Disposable {
  readonly #server: Server;
  readonly #listening: Disposable;

  constructor(server: Server) {
    this.#server = server;
    this.#listening = server.onTraining((event) => {
      const end = describeEnd(event);
      if (!end) return;
      const buttons: string[] = event.adapter ? ["Choose"] : [];
      void window.showInformationMessage(`Diffill: ${end}.`, ...buttons).then((choose) => (choose ? this.selectModel() : undefined));
    });
  }

  /** Show what would be read and how long it would take; start if that is right. */
  async plan(): Promise<void> {
    const where = await this.#where();
    if (where === undefined) return;
    const plan = await window.withProgress(
      { location: ProgressLocation.Notification, title: "Diffill: looking at the files, and trying how fast this machine is", cancellable: true },
      (_, token) => this.#server.ask<Json>(`${TRAIN}plan`, where, TUNE, token),
    );
    if (plan === undefined) return;
    const { title, detail, possible } = describePlan(plan);
    const answer = await window.showInformationMessage(title, { modal: true, detail }, ...(possible ? ["Start"] : []));
    if (answer === "Start") await this.#server.ask(`${TRAIN}start`, where, TUNE);
  }

  /** What is said to the server of the folder, asked for if there are several; undefined: nothing is to be done. */
  async #where(): Promise<{ repository?: string } | undefined> {
    if (!workspace.isTrusted) {
      void window.showWarningMessage("Diffill: trust this folder first; tuning reads its files.");
      return undefined;
    }
    const folders = (workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === "file");
    if (folders.length < 2) return {}; // the server's own choice: that folder
    const items = folders.map(({ name, uri }) => ({ label: name, description: uri.fsPath }));
    const picked = await window.showQuickPick(items, { title: "Tuning: which folder?" });
    return picked && { repository: picked.description };
  }

  async control(): Promise<void> {
    const where = await this.#where();
    if (where === undefined) return;
    const run = await this.#server.ask<Json>(`${TRAIN}status`, where, TUNE);
    if (run === undefined) return;
    const actions = { Pause: "pause", Resume: "resume", Stop: "stop" } as const;
    const picked = await window.showQuickPick(Object.keys(actions), { title: `Tuning: ${describeRun(run)}` });
    if (picked) await this.#server.ask(TRAIN + actions[picked as keyof typeof actions], where, TUNE);
  }

  async selectModel(): Promise<void> {
    const answer = await this.#server.ask<unknown>(`${MODEL}list`, {}, "list what tuning has made");
    if (answer === undefined) return;
    const remove = { iconPath: new ThemeIcon("trash"), tooltip: "Delete for good" };
    const pick = window.createQuickPick<{ label: string; description: string; model: Model }>();
    pick.title = "The model, or what tuning made of it";
    pick.items = modelsOf(answer).map((model) => ({
      model,
      label: `${model.selected ? "$(check) " : ""}${model.label}`,
      description: model.description,
      buttons: model.name === null ? [] : [remove],
    }));
    pick.onDidAccept(async () => {
      const [item] = pick.selectedItems;
      pick.hide();
      if (!item) return;
      const { name } = item.model;
      const answer = await this.#server.ask(`${MODEL}select`, { name }, "choose a model");
      if (answer) void window.showInformationMessage(`Diffill: ${name ?? "the model without tuning"} is used from now on.`);
    });
    pick.onDidTriggerItemButton(async ({ item: { model } }) => {
      pick.hide();
      const sure = await window.showWarningMessage(`Delete the tuning ${model.name}?`, { modal: true }, "Delete");
      const answer = sure && (await this.#server.ask(`${MODEL}delete`, { name: model.name }, "delete a tuning"));
      if (answer) void window.showInformationMessage(`Diffill: ${model.name} is deleted.`);
    });
    pick.onDidHide(() => pick.dispose());
    pick.show();
  }

  dispose(): void {
    this.#listening.dispose();
  }
}
