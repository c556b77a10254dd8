// Drives VS Code in a browser for the Python tests: one JSON object a line in, one a line out.
// Every verb waits for what it needs with a deadline, and says on failure what it saw.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [playwrightHome, chromium, url, profile] = process.argv.slice(2);
const require = createRequire(`${playwrightHome}/`);
const { chromium: browserType } = require("playwright-core");

const WAIT_MS = 30_000;
const outside = [];
const context = await browserType.launchPersistentContext(profile, {
  executablePath: chromium,
  headless: true,
  viewport: { width: 1100, height: 640 },
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
  ],
});
const page = context.pages()[0] ?? (await context.newPage());
page.on("request", (request) => {
  const { protocol, hostname } = new URL(request.url());
  if (protocol.startsWith("http") && hostname !== "127.0.0.1") outside.push(request.url());
});

/** Ghost text as one string: it is coloured in several spans, and its blanks are no-break. */
const ghostText = () =>
  page.evaluate(() => {
    const parts = [...document.querySelectorAll(".monaco-editor .view-line [class*=ghost-text]")];
    const lines = [...document.querySelectorAll(".monaco-editor .suggest-preview-text .view-line, .monaco-editor [class*=ghost-text-lines] .view-line, .monaco-editor .view-zones [class*=ghost-text]")];
    const outer = (list) => list.filter((part) => !list.some((other) => other !== part && other.contains(part)));
    const text = (list) => outer(list).map((part) => part.textContent).join("");
    return (text(parts) + (lines.length ? "\n" + outer(lines).map((line) => line.textContent).join("\n") : "")).replaceAll("\u00a0", " ");
  });

async function until(what, look, good, ms = WAIT_MS) {
  const end = Date.now() + ms;
  let seen = await look();
  while (!good(seen)) {
    if (Date.now() > end) throw new Error(`waited ${ms} ms for ${what}; saw ${JSON.stringify(seen)}`);
    await page.waitForTimeout(15); // a look costs time of the page that is being looked at
    seen = await look();
  }
  return seen;
}

const texts = (selector) => page.$$eval(selector, (found) => found.map((one) => one.textContent.replaceAll("\u00a0", " ")));
const statusOf = () => page.$$eval('.statusbar-item[id*="diffill"]', (found) => {
  const label = found.map((one) => one.querySelector("a")?.getAttribute("aria-label") ?? one.getAttribute("aria-label") ?? "").join("");
  return { text: found.map((one) => one.textContent.trim()).join(""), label };
});

const drafted = () => page.$$eval(".editor-instance .view-line span[class*=ced-]", (found) =>
  found.flatMap((one) => {
    const { content } = getComputedStyle(one, "::after");
    return /^".*"$/s.test(content) ? [JSON.parse(content).replaceAll("\u00a0", " ")] : [];
  }));

const verbs = {
  async ready() {
    await page.goto(url);
    await page.waitForSelector(".monaco-workbench", { timeout: 60_000 });
    await page.waitForSelector('.explorer-folders-view, .explorer-viewlet', { timeout: 60_000 });
  },
  async open({ name, lines = ".editor-instance .monaco-editor .view-lines" }) {
    await page.keyboard.press("Escape");
    // In the explorer: quick open keeps its list of files for a while, and does not know a new one.
    const row = page.locator(`.explorer-folders-view .monaco-list-row:has-text("${name}")`).first();
    // The file watcher may not be up yet when the first file is made.
    await row.waitFor({ timeout: 3000 }).catch(() => verbs.command({ title: "Refresh Explorer" }));
    await row.waitFor({ timeout: WAIT_MS });
    await row.dblclick();
    await page.waitForSelector(`.tab.active:has-text("${name}")`, { timeout: WAIT_MS });
    await page.waitForSelector(`${lines} .view-line`);
    await page.locator(lines).first().click();
  },
  /** Put the cursor at a 1-based line and column. */
  async goto({ line, column }) {
    await page.keyboard.press("Control+G");
    await page.waitForSelector(".quick-input-widget input");
    await page.keyboard.type(`${line}:${column}`);
    await page.keyboard.press("Enter");
    await until("the cursor to be there", () => texts(".statusbar-item"), (seen) =>
      seen.some((text) => text.includes(`Ln ${line}, Col ${column}`)));
  },
  type: ({ text }) => page.keyboard.type(text),
  press: ({ key }) => page.keyboard.press(key),
  async command({ title }) {
    await page.keyboard.press("F1");
    await page.waitForSelector(".quick-input-widget input");
    await page.keyboard.type(title);
    await page.waitForSelector(`.quick-input-list .monaco-list-row.focused:has-text("${title}")`);
    await page.keyboard.press("Enter");
  },
  ghost: ({ contains, ms }) => until(`ghost text with ${JSON.stringify(contains)}`, ghostText, (seen) => seen.includes(contains), ms),
  someGhost: ({ ms }) => until("any ghost text", ghostText, (seen) => seen.trim() !== "", ms),
  noGhost: ({ ms }) => until("no ghost text", ghostText, (seen) => seen === "", ms),
  peekGhost: () => ghostText(),
  /** Milliseconds from a key to ghost text in the page, null if there is none within `ms`. */
  async timeGhost({ key, ms }) {
    await page.evaluate((limit) => {
      const now = () => performance.timeOrigin + performance.now();
      window.pressed = undefined;
      addEventListener("keydown", () => { window.pressed = now(); }, { capture: true, once: true });
      window.shown = new Promise((resolve) => {
        const end = now() + limit;
        const look = () => {
          const parts = document.querySelectorAll(".monaco-editor [class*=ghost-text]");
          if ([...parts].some((one) => one.textContent.trim())) resolve(now());
          else if (now() > end) resolve(null);
          else requestAnimationFrame(look);
        };
        requestAnimationFrame(look);
      });
    }, ms);
    await page.keyboard.press(key);
    return page.evaluate(async () => {
      const shown = await window.shown;
      return shown === null ? null : shown - window.pressed;
    });
  },
  status: ({ contains, lacks, ms }) =>
    until(`a status with ${JSON.stringify(contains)}${lacks ? ` and not ${JSON.stringify(lacks)}` : ""}`, statusOf, (seen) => {
      const all = `${seen.text} ${seen.label}`;
      return all.includes(contains) && !(lacks && all.includes(lacks));
    }, ms),
  /** Wait for a text of the status item that a regular expression matches, as a whole. */
  statusText: ({ like, ms }) => until(`a status like ${like}`, statusOf, ({ text }) => new RegExp(`^${like}$`).test(text.trim()), ms),
  /** A notification, as a toast, or in the list where toasts that were up for long go. */
  async notification({ contains, ms }) {
    const look = () => texts(".notification-list-item-message");
    const good = (seen) => seen.some((text) => text.includes(contains));
    const what = `a notification with ${JSON.stringify(contains)}`;
    try {
      return await until(what, look, good, ms ?? 10_000);
    } catch {
      await verbs.command({ title: "Notifications: Show Notifications" });
      return until(what, look, good, ms ?? 10_000);
    }
  },
  pressButton: ({ label }) => page.locator(`.notification-toast .monaco-button:has-text("${label}")`).first().click(),
  hover: ({ selector }) => page.locator(selector).first().hover({ timeout: WAIT_MS }),
  click: ({ selector }) => page.locator(selector).first().click({ timeout: WAIT_MS }),
  quickTitle: ({ contains, ms }) =>
    until(`a quick pick titled ${JSON.stringify(contains)}`, () => texts(".quick-input-title"), (seen) => seen.some((text) => text.includes(contains)), ms),
  see: ({ selector, contains, ms }) =>
    until(`${selector} with ${JSON.stringify(contains)}`, () => texts(selector), (seen) => seen.some((text) => text.includes(contains)), ms),
  gone: ({ selector, ms }) => until(`${selector} to go`, () => texts(selector), (seen) => seen.length === 0, ms),
  count: ({ selector }) => page.locator(selector).count(),
  /** What decorations of the extension write after texts of the document. */
  drafted: ({ contains, ms }) =>
    until(`a draft with ${JSON.stringify(contains)}`, drafted, (seen) => seen.join("|").includes(contains), ms),
  undrafted: ({ ms }) => until("no draft", drafted, (seen) => seen.length === 0, ms),
  peekDrafted: () => drafted(),
  /** Whether what another verb waits for comes in time. */
  comes: ({ what, ...args }) => verbs[what](args).then(() => true, () => false),
  async save({ name }) {
    await page.keyboard.press("Escape");
    await page.keyboard.press("Control+S");
    await until("the file to be saved", () => page.$$eval(`.tab.active.dirty`, (found) => found.length), (left) => left === 0);
  },
  async shot({ path, clip }) {
    await page.screenshot({ path, clip });
  },
  /** Pictures of a part of the page until a selector is there; the milliseconds at which each was taken. */
  async film({ folder, clip, until: selector, ms = WAIT_MS }) {
    const begun = performance.now();
    const taken = [];
    while (performance.now() - begun < ms) {
      const at = performance.now() - begun;
      await page.screenshot({ path: `${folder}/${taken.length}.png`, clip });
      if (await page.locator(selector).count()) return taken; // the last picture may show it, too
      taken.push(at);
    }
    throw new Error(`waited ${ms} ms for ${selector}; took ${taken.length} pictures`);
  },
  outside: () => outside,
};

for await (const line of createInterface({ input: process.stdin })) {
  const { verb, ...args } = JSON.parse(line);
  if (verb === "close") break;
  try {
    console.log(JSON.stringify({ value: (await verbs[verb](args)) ?? null }));
  } catch (error) {
    console.log(JSON.stringify({ error: error.message }));
  }
}
await context.close();
