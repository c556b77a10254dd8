// The editor that a command is about. Where the server serves nothing there, that is said.

import { type TextEditor, languages, window } from "vscode";
import { LANGUAGES, SELECTOR } from "../server/selector.ts";

export function servedEditor(): TextEditor | undefined {
  const editor = window.activeTextEditor;
  if (editor === undefined || languages.match(SELECTOR, editor.document) > 0) return editor;
  const { languageId, uri } = editor.document;
  const why = LANGUAGES.includes(languageId) ? `only in files, and this is ${uri.scheme}:` : `in ${LANGUAGES.join(", ")}; this is ${languageId}`;
  void window.showInformationMessage(`Diffill works ${why}.`);
  return undefined;
}
