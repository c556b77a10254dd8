import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { LANGUAGES } from "../src/server/selector.ts";

interface Binding {
  command: string;
  key: string;
  mac?: string;
  when: string;
}
const manifest = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { contributes: { keybindings: Binding[] } };
const bindings = manifest.contributes.keybindings;
// Of Visual Studio Code: Replace, Open Next Editor, regular expressions in the find widget.
const TAKEN_ON_MAC = ["cmd+alt+f", "cmd+alt+right", "cmd+alt+r"];

test("no key is one that types a character on some keyboard, or the editor's own", () => {
  for (const { key, mac } of bindings) {
    assert.doesNotMatch(key, /ctrl\+alt\+.( |$)/, "Ctrl+Alt is AltGr on Windows");
    assert.ok(!TAKEN_ON_MAC.includes(mac ?? key), mac);
  }
});

test("a key is taken only where the server serves, or while something of ours is going on", () => {
  const served = `editorLangId =~ /^(${LANGUAGES.join("|")})$/`;
  const ours = bindings.filter(({ when }) => !when.split(" && ").includes(served));
  assert.deepEqual(ours.map(({ command }) => command), ["diffill.cancelFill", "diffill.chooser.next", "diffill.chooser.previous"]);
  for (const { command, when } of ours) assert.match(when, /^diffill\.(filling|choosing) && /, command);
});
