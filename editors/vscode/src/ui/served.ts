// The editor that a command is about. Where there is none, or the server serves nothing there, that is said.

import { type TextEditor, languages, window } from "vscode";
import { LANGUAGES, SELECTOR } from "../server/selector.ts";

/** The active editor; that there is none, as while the walkthrough has the focus, is said. */
export function activeEditor(): TextEditor | undefined {
  if (window.activeTextEditor === undefined) void window.showInformationMessage("Diffill: open a file first.");
  return window.activeTextEditor;
}

export function servedEditor(): TextEditor | undefined {
  const editor = activeEditor();
  if (editor === undefined || languages.match(SELECTOR, editor.document) > 0) return editor;
  const { languageId, uri } = editor.document;
  const why = LANGUAGES.includes(languageId) ? `only in files, and this is ${uri.scheme}:` : `in ${LANGUAGES.join(", ")}; this is ${languageId}`;
  void window.showInformationMessage(`Diffill works ${why}.`);
  return undefined;
}
