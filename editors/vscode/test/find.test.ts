import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { commandLine, findServer, type Found, type Probe, type Wanted } from "../src/server/find.ts";
import { exists, findPython, probe as look } from "../src/server/processes.ts";
import { onPath, pythonIn, toolLocations, type Machine } from "../src/server/locations.ts";

const machine: Machine = { env: { PATH: "/usr/local/bin:/usr/bin" }, home: "/people/ada", platform: "linux" };
const nothing: Wanted = { path: "", interpreter: "", active: async () => [], own: "", machine };
const probe = (files: string[], pythons: string[] = [], versions: Record<string, string> = {}): Probe => ({
  exists: async (path) => files.includes(path) || pythons.includes(path),
  hasServer: async (python) => pythons.includes(python),
  version: async (python) => versions[python],
});
const everything: [string[], string[]] = [
  ["/set/diffill", "/people/ada/.local/bin/diffill", "/usr/bin/diffill"],
  ["/set/python", "/active/python", "/own/python"],
];

test("each place is looked at in its turn", async () => {
  const wanted: Wanted = { path: "/set/diffill", interpreter: "/set/python", active: async () => ["/active/python"], own: "/own/python", machine };
  const [files, pythons] = everything;
  const order: [Partial<Wanted>, string, string][] = [
    [{}, "/set/diffill", "diffill.server.path"],
    [{ path: "" }, "/set/python", "diffill.server.interpreter"],
    [{ interpreter: "" }, "/own/python", "the environment made by this extension"],
    [{ own: "" }, "/active/python", "the active Python environment"],
    [{ active: async () => [] }, "/people/ada/.local/bin/diffill", "uv tool or pipx"],
  ];
  let now = wanted;
  for (const [less, command, source] of order) {
    now = { ...now, ...less };
    const search = await findServer(now, probe(files, pythons));
    assert.ok("found" in search);
    assert.deepEqual([search.found.command, search.found.source], [command, source]);
  }
  const path = await findServer(now, probe(["/usr/bin/diffill"], pythons));
  assert.ok("found" in path && path.found.source === "PATH");
});

test("who knows the active environments is asked when nothing before them has a server", { timeout: 10_000 }, async () => {
  const [files, pythons] = everything;
  const active = () => new Promise<string[]>(() => {}); // as of an extension that is never done
  for (const set of [{ path: "/set/diffill" }, { interpreter: "/set/python" }, { own: "/own/python" }])
    assert.ok("found" in (await findServer({ ...nothing, ...set, active }, probe(files, pythons))));
});

const here: Machine = { env: process.env, home: "", platform: process.platform };
const python = await findPython(here);

test("another program's package lsp_server is not taken for Diffill", { skip: python === undefined && "there is no Python 3.11" }, async (context) => {
  const folder = await mkdtemp(join(tmpdir(), "diffill-"));
  const before = process.env.PYTHONPATH;
  context.after(() => {
    if (before === undefined) delete process.env.PYTHONPATH;
    else process.env.PYTHONPATH = before;
    return rm(folder, { recursive: true });
  });
  for (const [name, text] of Object.entries({ nameless: "", other: 'NAME = "pasls"\n' })) {
    await mkdir(join(folder, name, "lsp_server"), { recursive: true });
    await writeFile(join(folder, name, "lsp_server", "__init__.py"), text);
    process.env.PYTHONPATH = join(folder, name);
    assert.equal(await look.hasServer(python ?? ""), false, name);
  }
  process.env.PYTHONPATH = fileURLToPath(new URL("../../..", import.meta.url)); // a checkout that is not installed
  assert.equal(await look.hasServer(python ?? ""), true);
});

test("an environment of ours that cannot run the server is passed over", async () => {
  const search = await findServer({ ...nothing, own: "/own/python" }, probe(["/own/python", "/usr/bin/diffill"]));
  assert.ok("found" in search && search.found.source === "PATH");
});

test("a program is set by its full path, by one from the home folder, or by a name on PATH", async () => {
  const files = ["/people/ada/x/bin/diffill", "/usr/bin/diffill"];
  const pythons = ["/people/ada/x/bin/python", "/usr/bin/python3"];
  const settings: [Partial<Wanted>, string][] = [
    [{ path: "~/x/bin/diffill" }, "/people/ada/x/bin/diffill"],
    [{ path: "diffill" }, "/usr/bin/diffill"],
    [{ interpreter: "~/x/bin/python" }, "/people/ada/x/bin/python"],
    [{ interpreter: "python3" }, "/usr/bin/python3"],
  ];
  for (const [setting, command] of settings) {
    const search = await findServer({ ...nothing, ...setting }, probe(files, pythons));
    assert.ok("found" in search, JSON.stringify(setting));
    assert.equal(search.found.command, command);
  }
  for (const setting of [{ path: "x/bin/diffill" }, { interpreter: "./x/bin/python" }]) {
    const search = await findServer({ ...nothing, ...setting }, probe(["x/bin/diffill"], ["./x/bin/python"]));
    assert.ok("problem" in search);
    assert.match(search.problem, /Write the full path of a program \(not of its folder\)/);
  }
});

test("a folder is no program, nor is a file that cannot be run", { skip: process.platform === "win32" }, async (context) => {
  const folder = await mkdtemp(join(tmpdir(), "diffill-"));
  context.after(() => rm(folder, { recursive: true }));
  const file = join(folder, "diffill");
  await writeFile(file, "");
  assert.deepEqual([await exists(folder), await exists(file)], [false, false]);
  await chmod(file, 0o755);
  assert.equal(await exists(file), true);
});

test("an interpreter is run so that the folder cannot put modules in the way", async () => {
  const search = await findServer({ ...nothing, active: async () => ["/active/python"] }, probe([], ["/active/python"]));
  assert.ok("found" in search);
  assert.deepEqual(search.found.args, ["-P", "-m", "lsp_server", "serve"]);
});

test("a setting that leads nowhere is an error and is not passed over", async () => {
  const [files, pythons] = everything;
  for (const wrong of [{ path: "/no/diffill" }, { path: "nodiffill" }, { interpreter: "/no/python" }, { interpreter: "/usr/bin/diffill" }]) {
    const search = await findServer({ ...nothing, ...wrong, own: "/own/python" }, probe(files, pythons));
    assert.ok("problem" in search, JSON.stringify(wrong));
    assert.equal(search.setting, `diffill.server.${Object.keys(wrong)[0]}`);
    assert.ok(search.problem.includes(Object.values(wrong)[0] ?? "?"));
  }
});

test("an interpreter that will not do is named with what is wrong with it", async () => {
  const versions = { "/old/python": "3.10.12", "/bare/python": "3.11.0" };
  const cases: [string, RegExp][] = [
    ["/no/python", /there is no such program/],
    ["/bin/cat", /does not run as a Python\. Name a Python 3\.11 or newer/],
    ["/old/python", /is version 3\.10\.12, and Diffill needs 3\.11 or newer\. Name another one/],
    ["/bare/python", /has no Diffill\..* \/bare\/python -m pip install \/path\/to\/checkout$/],
  ];
  for (const [interpreter, said] of cases) {
    const search = await findServer({ ...nothing, interpreter }, probe(["/bin/cat", ...Object.keys(versions)], [], versions));
    assert.ok("problem" in search);
    assert.match(search.problem, said);
    assert.ok(search.problem.includes(interpreter));
  }
});

test("a name in diffill.server.path is looked for on PATH", async () => {
  const search = await findServer({ ...nothing, path: "diffill-dev" }, probe(["/usr/bin/diffill-dev"]));
  assert.ok("found" in search);
  assert.equal(search.found.command, "/usr/bin/diffill-dev");
});

test("an active environment without the server is passed over", async () => {
  const search = await findServer({ ...nothing, active: async () => ["/active/python"] }, probe(["/active/python", "/usr/bin/diffill"]));
  assert.ok("found" in search);
  assert.equal(search.found.source, "PATH");
});

test("nothing anywhere is a problem of no setting", async () => {
  const search = await findServer(nothing, probe([]));
  assert.ok("problem" in search);
  assert.equal(search.setting, undefined);
});

test("uv and pipx are followed where their variables point", () => {
  const env = { UV_TOOL_DIR: "/u", PIPX_HOME: "/p", UV_TOOL_BIN_DIR: "/b" };
  const places = toolLocations({ ...machine, env });
  assert.equal(places[0], "/b/diffill");
  assert.ok(places.includes("/u/diffill/bin/diffill"));
  assert.ok(places.includes("/p/venvs/diffill/bin/diffill"));
});

test("on Windows programs end in .exe and environments have Scripts", () => {
  const windows: Machine = { env: { Path: "C:\\a;C:\\b" }, home: "C:\\Users\\ada", platform: "win32" };
  assert.deepEqual(onPath("diffill", windows), ["C:\\a\\diffill.exe", "C:\\b\\diffill.exe"]);
  assert.deepEqual(onPath("diffill.exe", windows), onPath("diffill", windows));
  assert.equal(pythonIn("C:\\e", windows), "C:\\e\\Scripts\\python.exe");
  assert.ok(toolLocations(windows).every((place) => place.endsWith("diffill.exe")));
});

test("another server is one with another command or other arguments, wherever it was found", () => {
  const found: Found = { command: "/c", args: ["serve"], source: "PATH" };
  const one = commandLine(found, ["--x"], "1");
  assert.equal(commandLine({ ...found, source: "uv tool or pipx" }, ["--x"], "2"), one);
  for (const other of [commandLine({ ...found, command: "/d" }, ["--x"], "1"), commandLine(found, [], "1"), commandLine(found, ["--x", ""], "1")])
    assert.notEqual(other, one);
});

test("an environment of our own that was made again is another server", () => {
  const found: Found = { command: "/c", args: ["serve"], source: "the environment made by this extension" };
  assert.notEqual(commandLine(found, [], "1"), commandLine(found, [], "2"));
});
