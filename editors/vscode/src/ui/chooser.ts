// Choosing among texts with a live diff: up and down for the choice, left and right for its
// versions, Enter applies what is shown, Escape leaves everything as it was. Until the versions are
// there, the diff shows their drafts, which cannot be applied.

import { CancellationTokenSource, type Range, type TextDocument, WorkspaceEdit, commands, window, workspace } from "vscode";
import type { Edit } from "./edits.ts";
import { Place } from "./place.ts";
import { Preview } from "./preview.ts";

/** What texts were asked for: a place in one version of a document. */
export interface Asked {
  document: TextDocument;
  version: number;
  at: Range;
}

export interface Version {
  edits: Edit[];
  /** A few words: how much it changes, whether it parses. */
  summary: string;
}

export interface Choice {
  label: string;
  description?: string;
  /** The chooser's title while this one is active, if another than usual. */
  title?: string;
  /**
   * The versions, or a sentence that says why there are none; undefined: a failure was shown. `hear`
   * takes what they would be so far.
   */
  versions(token: CancellationTokenSource["token"], hear: (draft: Edit[]) => void): Promise<Version[] | string | undefined>;
}

let turn: ((by: number) => void) | undefined;

/** Show the next (1) or previous (-1) version in the open chooser. */
export const turnVersion = (by: number): void => turn?.(by);

/** Whether the document is still as it was when it was asked about. Where it is not, that is said. */
export function unchanged({ document, version }: Asked, closed = document.isClosed): boolean {
  if (!closed && document.version === version) return true;
  void window.showWarningMessage("Diffill: the document has changed since; nothing was applied. Ask again.");
  return false;
}

/** Let the person choose, and apply it. Whether something was applied. */
export async function chooseAndApply(asked: Asked, title: string, choices: Choice[], first = 0): Promise<boolean> {
  const { document } = asked;
  const place = new Place(document);
  const preview = new Preview(document);
  try {
    const chosen = await choose(asked, preview, title, choices, first);
    const closed = document.isClosed; // before the diff goes, which may be all that still shows it
    // Where no diff was shown the focus is where it should be, and may be somewhere else by now.
    if ((await preview.close()) && !closed) await place.restore();
    if (chosen === undefined || !unchanged(asked, closed)) return false;
    // What is behind the edits stays as long as it is.
    const behind = document.getText().length - Math.max(...chosen.edits.map(({ range }) => document.offsetAt(range.end)));
    const edit = new WorkspaceEdit();
    for (const { range, text } of chosen.edits) edit.replace(document.uri, range, text);
    if (!(await workspace.applyEdit(edit))) {
      void window.showWarningMessage("Diffill: the document could not be changed, and nothing was applied. It may be read-only.");
      return false;
    }
    await place.goTo(behind);
    return true;
  } finally {
    preview.dispose();
  }
}

/** As a quick pick shows it: what reads like an icon, such as $(this), stays text. */
const plain = (text: string): string => text.replaceAll(/\$\([a-z\d-]+(~[a-z]+)?\)/gi, "\\$&");

async function choose(about: Asked, preview: Preview, title: string, choices: Choice[], first: number): Promise<Version | undefined> {
  const { document, version: begun, at } = about;
  const pick = window.createQuickPick<{ label: string; description?: string; choice: Choice }>();
  pick.items = choices.map((choice) => ({ label: plain(choice.label), description: plain(choice.description ?? ""), choice }));
  pick.ignoreFocusOut = true; // the diff that opens must not close it
  pick.title = title;
  pick.placeholder = "Up and down: choices. Left and right: versions. Enter applies.";
  let versions: Version[] = [];
  let heading = title;
  let current: Choice | undefined;
  let shown = 0;
  let asked: CancellationTokenSource | undefined;
  let drafted = false;

  const draw = async (): Promise<void> => {
    const version = versions[shown];
    if (version === undefined) return;
    pick.title = `${heading}: ${shown + 1} of ${versions.length}: ${version.summary}`;
    await preview.show(version.edits, at);
  };
  const wipe = (): void => {
    if (drafted) void preview.show([], at);
    drafted = false;
  };
  const watching = workspace.onDidChangeTextDocument((event) => event.document === document && wipe());
  const load = async (choice: Choice): Promise<void> => {
    if (choice === current) return;
    current = choice;
    asked?.cancel();
    wipe();
    const mine = (asked = new CancellationTokenSource());
    versions = [];
    shown = 0;
    pick.busy = true;
    heading = choice.title ?? title;
    pick.title = `${heading}: ...`;
    const hear = (draft: Edit[]): void => {
      if (mine.token.isCancellationRequested || document.version !== begun) return;
      drafted = true;
      void preview.show(draft, at);
    };
    const answer = await choice.versions(mine.token, hear);
    if (mine.token.isCancellationRequested) return;
    if (typeof answer !== "object") wipe();
    drafted = false;
    if (!unchanged(about) || answer === undefined) return pick.hide();
    pick.busy = false;
    if (typeof answer === "string") pick.title = `${heading}: ${answer}`;
    else versions = answer;
    await draw();
  };

  const mine = (by: number): void => {
    if (versions.length === 0) return;
    shown = (shown + by + versions.length) % versions.length;
    void draw();
  };
  turn = mine;
  await commands.executeCommand("setContext", "diffill.choosing", true);
  try {
    return await new Promise<Version | undefined>((resolve) => {
      pick.onDidChangeActive(([item]) => item && void load(item.choice));
      pick.onDidAccept(() => versions[shown] && resolve(versions[shown])); // while busy: not yet
      pick.onDidHide(() => resolve(undefined));
      const start = pick.items[first];
      if (start) pick.activeItems = [start];
      pick.show();
      if (start) void load(start.choice); // no change is told of when it is the first one anyway
    });
  } finally {
    asked?.cancel();
    watching.dispose();
    pick.dispose();
    // Another chooser that has taken this one's place has the keys by now.
    if (turn === mine) {
      turn = undefined;
      await commands.executeCommand("setContext", "diffill.choosing", false);
    }
  }
}
