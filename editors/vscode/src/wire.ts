// What goes over the wire besides the standard protocol: method names and the shapes of
// docs/lsp-extensions.md. Everything that a server may leave out is optional here.

import type { Position, Range, TextEdit } from "vscode-languageclient";

export const STATUS = "diffill/status";
export const STATUS_DID_CHANGE = "diffill/statusDidChange";
export const REWRITE = "diffill/rewrite";
export const FILL = "diffill/fill";
export const BRIDGE = "diffill/bridge";
export const FROM_COMMENT = "diffill/fromComment";
export const CONFIDENCE = "diffill/confidence";
export const EXPLAIN_LAST = "diffill/explainLast";
export const TRAIN = "diffill/train/"; // plan, start, pause, resume, stop, status
export const TRAIN_PROGRESS = "diffill/train/progress";
export const MODEL = "diffill/model/"; // list, select, delete
export const TOGGLE = "diffill.toggle"; // workspace/executeCommand
export const SNOOZE = "diffill.snooze";

/** Announced as experimental capabilities: send these notifications. */
export const EXPERIMENTAL = { diffillStatus: true, diffillTraining: true };

export interface Confidence {
  items: { insertText: string; score: number; pieces: { text: string; p: number | null }[] }[];
}

export interface Status {
  kind: string;
  message?: string;
  engine?: string;
  model?: string;
  adapter?: string | null;
  adapterProblem?: string | null;
  loadMs?: number;
  queue?: number;
  p50?: number | null;
  p95?: number | null;
  reason?: string | null;
  problems?: string[];
}

export interface RewriteResult {
  rewrites: { text: string; score: number; changed: number; parses: boolean }[];
  range: Range;
  masked: number;
  reason: string | null;
}

export interface Trail {
  method: string;
  uri: string;
  position: Position;
  automatic: boolean;
  language: string;
  shown: number;
  reason: string | null;
  message: string;
  ms: number;
  stages: { name: string; ms: number }[];
  candidates: {
    score: number;
    characters: number;
    lines: number;
    quoted: boolean;
    droppedBy: string | null;
    why: string | null;
  }[];
}

/** How far the holes of a request are; a number is so many slots that are still open. */
export interface Draft {
  ranges: Range[];
  texts: (string | number)[][];
  done: number;
}

export interface Fill {
  edits: TextEdit[];
  score?: number;
}
