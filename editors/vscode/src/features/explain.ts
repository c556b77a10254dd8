// Shows why the last request was answered as it was.

import { type Disposable, EventEmitter, Uri, commands, workspace } from "vscode";
import type { Server } from "../server/server.ts";
import { EXPLAIN_LAST, type Trail } from "../wire.ts";
import { page } from "./trail.ts";

const SCHEME = "diffill-trail";
const AT = Uri.parse(`${SCHEME}:Last suggestion.md`);

export class Explanation implements Disposable {
  readonly #server: Server;
  readonly #changed = new EventEmitter<Uri>();
  readonly #provider = workspace.registerTextDocumentContentProvider(SCHEME, {
    onDidChange: this.#changed.event,
    provideTextDocumentContent: () => this.#text,
  });
  #text = "";

  constructor(server: Server) {
    this.#server = server;
  }

  async show(): Promise<void> {
    const trail = await this.#server.ask<Trail | null>(EXPLAIN_LAST, null, "explain the last suggestion");
    if (trail === undefined) return;
    this.#text = page(trail);
    this.#changed.fire(AT);
    await commands.executeCommand("markdown.showPreviewToSide", AT);
  }

  dispose(): void {
    this.#provider.dispose();
    this.#changed.dispose();
  }
}
