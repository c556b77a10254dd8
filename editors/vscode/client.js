// Starts `diffill serve` and lets VS Code talk to it. vscode-languageclient 11 asks for inline
// completions by itself, so there is nothing more to do here.
"use strict";

const vscode = require("vscode");
const { LanguageClient, TransportKind } = require("vscode-languageclient/node");

const LANGUAGES = [
  "python",
  "javascript",
  "javascriptreact",
  "typescript",
  "typescriptreact",
  "go",
  "rust",
  "java",
  "c",
  "cpp",
];

let client;

async function activate() {
  const command = vscode.workspace.getConfiguration("diffill").get("server.path", "diffill");
  client = new LanguageClient(
    "diffill",
    "Diffill",
    { command, args: ["serve"], transport: TransportKind.stdio },
    {
      documentSelector: LANGUAGES.map((language) => ({ language })),
      initializationOptions: vscode.workspace.getConfiguration("diffill"),
    },
  );
  await client.start();
}

async function deactivate() {
  await client?.stop();
}

module.exports = { activate, deactivate };
