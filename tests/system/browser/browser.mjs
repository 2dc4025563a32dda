/** Chromium, and checks of the dashboard in it. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { after, test } from "node:test";
import { delimiter, join } from "node:path";
import { chromium } from "playwright-core";
import { Dashboard } from "./dashboard.mjs";
import { setting } from "./stage.mjs";

/** How long anything on the page may take: the machine may be busy. */
export const DEADLINE_MILLIS = 60_000;

const FLAGS = [
  "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
  // The page must work without a network: no name has an address.
  "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
];

/** Debian's Chromium, or what other systems call it. */
const NAMES = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const folders = process.env.PATH.split(delimiter);
const executablePath = process.env.CHROMIUM ?? NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
assert.ok(executablePath, "Chromium is not installed: CONTRIBUTING.md lists what the tests need");

const browser = await chromium.launch({ executablePath, args: FLAGS });
after(() => browser.close());

/**
 * A test with a page of its own. It fails also if the page writes an error or a warning to its console, breaks its
 * Content-Security-Policy, or asks another server; `statuses` are those of HTTP that the check is about, 0 for none.
 */
export function check(name, { statuses = [], ...options }, body) {
  test(name, async () => {
    const page = await openPage(options);
    const dashboard = new Dashboard(page);
    try {
      await body(dashboard);
      const faults = page.log.filter((line) => !statuses.some((status) => line.startsWith(failedToLoad(status))));
      assert.deepEqual(faults, [], "the console of the page");
    } catch (error) {
      const console = page.log.join("\n    ") || "nothing";
      throw new Error(`${error.stack}\n  at ${page.url()}\n  console: ${console}\n  page: ${await shown(page)}`);
    } finally {
      await page.context().close();
    }
  });
}

/** What Chromium writes of an answer that is an error, or of none. */
function failedToLoad(status) {
  return status === 0
    ? "error: Failed to load resource: net::ERR_"
    : `error: Failed to load resource: the server responded with a status of ${status} `;
}

async function openPage({ key = setting.key, theme = "light", timeZone = "UTC", size = [1360, 1000], phone = false }) {
  const context = await browser.newContext({
    colorScheme: theme,
    timezoneId: timeZone,
    viewport: phone ? { width: 390, height: 844 } : { width: size[0], height: size[1] },
    hasTouch: phone,
    isMobile: phone,
    reducedMotion: "reduce",
  });
  context.setDefaultTimeout(DEADLINE_MILLIS);
  if (key) await context.addInitScript((it) => sessionStorage.setItem("rollcall.api-key", it), key);
  const page = await context.newPage();
  page.log = [];
  watch(page, page.log);
  return page;
}

/** Notes what must not happen. */
export function watch(page, log) {
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) log.push(`${message.type()}: ${message.text()}`);
  });
  page.on("pageerror", (error) => log.push(`thrown: ${error.stack}`));
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url());
    if (!["data:", "blob:"].includes(protocol) && origin !== new URL(setting.url).origin) log.push(`asked: ${request.url()}`);
  });
}

/** What stands on the page, for the message of a failure. */
async function shown(page) {
  const text = await page.locator("body").innerText({ timeout: 1_000 }).catch(() => "");
  return text.slice(0, 1_500).replaceAll(/\s*\n\s*/g, " | ");
}

/** Tries until it passes. */
export async function eventually(attempt) {
  const deadline = Date.now() + DEADLINE_MILLIS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
