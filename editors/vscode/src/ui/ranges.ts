// Ranges as VS Code has them and as they go over the wire.

import { Range } from "vscode";
import type { Range as Wire } from "vscode-languageclient";

export const toWire = ({ start, end }: Range): Wire => ({
  start: { line: start.line, character: start.character },
  end: { line: end.line, character: end.character },
});

export const fromWire = ({ start, end }: Wire): Range => new Range(start.line, start.character, end.line, end.character);
