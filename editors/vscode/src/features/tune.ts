// Tuning on the repository: plan, start, pause, stop; and choosing what it made. The server does the
// work and shows its progress; this asks, and says how it ended.

import { type Disposable, ProgressLocation, ThemeIcon, commands, window, workspace } from "vscode";
import type { Server } from "../server/server.ts";
import { MODEL, TRAIN } from "../wire.ts";
import { describeChoice, describeEnd, describePlan, describeRun, modelsOf, notUsed, problemOf, type Model } from "./tuneView.ts";

type Json = Record<string, unknown>;
/** The folder that a request is about; without one it is the first that is open. */
type Where = { repository?: string };
const TUNE = "tune on a repository";

export class Tuning implements Disposable {
  readonly #server: Server;
  readonly #listening: Disposable;
  #tuned: Where | undefined; // by the last run that was asked for

  constructor(server: Server) {
    this.#server = server;
    this.#listening = server.onTraining((event) => {
      const end = describeEnd(event);
      if (!end) return;
      const where = event.byItself === true ? {} : this.#tuned;
      void this.#say(end, notUsed(event), ...(event.adapter ? ["Choose"] : [])).then((choose) => (choose ? this.selectModel(where) : undefined));
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
    if (answer === "Start" && (await this.#server.ask(`${TRAIN}start`, where, TUNE))) this.#tuned = where;
  }

  /** Say something, with a way to the setting if that is `why` something is not used; another button that was pressed. */
  async #say(text: string, why: string | undefined, ...buttons: string[]): Promise<string | undefined> {
    const settings = why === undefined ? [] : ["Open Settings"];
    const pressed = await window.showInformationMessage(`Diffill: ${text}.`, ...buttons, ...settings);
    if (pressed !== "Open Settings") return pressed;
    await commands.executeCommand("workbench.action.openSettings", "diffill.model.adapter");
    return undefined;
  }

  /** The folder to tune on; undefined: nothing is to be done. */
  async #where(): Promise<Where | undefined> {
    if (workspace.isTrusted) return this.#folder("Tuning: which folder?");
    void window.showWarningMessage("Diffill: trust this folder first; tuning reads its files.");
    return undefined;
  }

  /** One of the open folders, asked for if there are several. */
  async #folder(title: string): Promise<Where | undefined> {
    const folders = (workspace.workspaceFolders ?? []).filter(({ uri }) => uri.scheme === "file");
    if (folders.length < 2) return {}; // the server's own choice: that folder
    const items = folders.map(({ name, uri }) => ({ label: name, description: uri.fsPath }));
    const picked = await window.showQuickPick(items, { title });
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

  /** Choose between the model and what tuning made of it `given` a folder, which is asked for if there are several. */
  async selectModel(given?: Where): Promise<void> {
    const where = given ?? (await this.#folder("The model, or its tuning on which folder?"));
    if (where === undefined) return;
    const answer = await this.#server.ask<unknown>(`${MODEL}list`, where, "list what tuning has made");
    if (answer === undefined) return;
    const remove = { iconPath: new ThemeIcon("trash"), tooltip: "Delete for good" };
    const pick = window.createQuickPick<{ label: string; description: string; model: Model }>();
    pick.title = "The model, or what tuning made of it";
    pick.placeholder = problemOf(answer);
    pick.items = modelsOf(answer).map((model) => ({
      model,
      label: `${model.served ? "$(check) " : ""}${model.label}`,
      description: model.description,
      buttons: model.name === null ? [] : [remove],
    }));
    pick.onDidAccept(async () => {
      const [item] = pick.selectedItems;
      pick.hide();
      if (!item) return;
      const { name } = item.model;
      const answer = await this.#server.ask<Json>(`${MODEL}select`, { name, ...where }, "choose a model");
      if (answer) await this.#say(describeChoice(name, answer), notUsed(answer));
    });
    pick.onDidTriggerItemButton(async ({ item: { model } }) => {
      pick.hide();
      const sure = await window.showWarningMessage(`Delete the tuning ${model.name}?`, { modal: true }, "Delete");
      const answer = sure && (await this.#server.ask(`${MODEL}delete`, { name: model.name, ...where }, "delete a tuning"));
      if (answer) void window.showInformationMessage(`Diffill: ${model.name} is deleted.`);
    });
    pick.onDidHide(() => pick.dispose());
    pick.show();
  }

  dispose(): void {
    this.#listening.dispose();
  }
}
