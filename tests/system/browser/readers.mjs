/** The page for those who use a keyboard alone, a screen reader, a dark theme or a phone. */
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { readFile } from "node:fs/promises";
import { describe } from "node:test";
import { day } from "./api.mjs";
import { check, eventually } from "./browser.mjs";
import { Keyboard } from "./keyboard.mjs";
import { setting } from "./stage.mjs";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

const { org } = setting;
const RANGE = { start_date: day(-33), end_date: day(-13) };
/** So few conversations that they are on two or three pages. */
const SHORT = { start_date: day(-13), end_date: day(-13) };

/** Everything that axe finds on the page, which must be nothing, and no need to scroll sideways. */
async function assertAccessible(it, view) {
  // Evaluated by the debugger, as the page allows no script but its own.
  await it.page.evaluate(axe);
  const violations = await it.page.evaluate(async () => {
    const { violations } = await window.axe.run(document, { resultTypes: ["violations"] });
    return violations.flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 200)}: ${node.failureSummary}`));
  });
  assert.deepEqual(violations, [], view);
  const beyond = await it.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
  assert.ok(beyond <= 0, `${view}: ${beyond} pixels beyond the right edge`);
}

/** The views of the page, each with what leads to it. */
const VIEWS = {
  "all of it": (it) => it.open({ org, ...RANGE, mentor: "calculus-coach" }).then(() => it.complete()),
  "numbers as tables": async (it) => {
    await it.table("Active users by day");
    await it.table("New and veteran users by day");
  },
  "a conversation": async (it) => {
    await it.firstMessage(0).click();
    await it.messages.waitFor();
  },
  "an empty range": async (it) => {
    await it.open({ org, start_date: "2020-01-01", end_date: "2020-01-31" });
    await it.complete();
    await it.list.getByText("No conversations in this range").waitFor();
  },
  "an unknown organisation": async (it) => {
    await it.open({ org: "nowhere" });
    await it.alert.getByText("There is no such organisation").waitFor();
  },
  "a wrong address": async (it) => {
    await it.open({ org, start_date: "2026-13-01", group_by: "year" });
    await it.alert.getByText("This address cannot be shown").waitFor();
  },
  "no answer": async (it) => {
    await it.button("Show the rest of it").click();
    await it.complete();
    await it.page.context().setOffline(true);
    await it.button("7 days").click();
    await it.alert.getByText("The server cannot be reached.").first().waitFor();
  },
  "another organisation": async (it) => {
    await it.button("Switch organisation").or(it.button("Switch")).click();
    await it.page.getByRole("heading", { name: "Choose an organisation" }).waitFor();
  },
  "signed out": async (it) => {
    await it.button("Sign out").click();
    await it.page.getByRole("heading", { name: "Open an organisation" }).waitFor();
  },
};

describe("readers", { concurrency: 2 }, () => {
  for (const [name, options] of [["in light", {}], ["in dark", { theme: "dark" }], ["on a phone", { phone: true }]]) {
    check(`axe finds nothing wrong with any view ${name}`, { ...options, statuses: [0, 404] }, async (it) => {
      for (const [view, show] of Object.entries(VIEWS)) {
        await show(it);
        await assertAccessible(it, view);
      }
    });
  }

  check("a keyboard is enough, and its place is always seen", { key: "" }, async (it) => {
    const keyboard = new Keyboard(it.page);
    await it.open({ ...SHORT });
    await eventually(async () => assert.equal(await keyboard.focused(), "Organisation"));
    await keyboard.type(org);
    await keyboard.goTo("API key");
    await keyboard.type(setting.key);
    await keyboard.press("Enter");
    await it.complete();

    const passed = await keyboard.goTo("Topics");
    for (const name of ["7 days", "From", "To", "Week", "Mentor"]) assert.ok(passed.includes(name), `${name} is not among ${passed}`);
    await keyboard.goTo("Week", "Shift+Tab");
    await keyboard.press("Space");
    await eventually(() => assert.equal(it.params().group_by, "week"));
    await it.complete();
    assert.equal(await keyboard.focused(), "Week");
    await keyboard.goTo("Mentor");
    await keyboard.type("calculus-coach");
    await keyboard.press("Enter");
    await it.complete();
    // The button that has done its work goes away, and its form takes the focus.
    await keyboard.goTo("Clear");
    await keyboard.press("Enter");
    await eventually(() => assert.equal(it.params().mentor, undefined));
    await it.complete();
    await keyboard.goTo("7 days");

    const [{ first_message }] = await it.conversations();
    const opener = first_message.trim().split("\n")[0];
    await keyboard.goTo("Download as CSV: All transcripts");
    await keyboard.press("Tab");
    assert.equal(await keyboard.focused(), opener);
    await keyboard.press("Enter");
    await it.messages.waitFor();
    // A dialog keeps the focus to itself; between its last and its first element the browser's own controls have it.
    for (let step = 0; step < 3; step += 1) {
      const isInside = await it.page.evaluate(() => document.activeElement.matches("body, dialog, dialog *"));
      assert.ok(isInside, `after ${step} steps`);
      await it.page.keyboard.press("Tab");
    }
    await it.page.keyboard.press("Escape");
    await it.dialog.waitFor({ state: "detached" });
    assert.equal(await keyboard.focused(), opener);

    // A button that leads no further keeps the focus.
    const [, , total] = await it.place();
    assert.ok(total > 25, `${total}`);
    for (const [name, first] of [["Last", Math.floor((total - 1) / 25) * 25 + 1], ["First", 1]]) {
      await keyboard.goTo(name, name === "First" ? "Shift+Tab" : "Tab");
      await keyboard.press("Enter");
      await eventually(async () => assert.equal((await it.place())[0], first));
      await it.complete();
      assert.equal(await keyboard.focused(), name);
      assert.ok(await it.button(name).isDisabled());
      await keyboard.press("Enter");
      assert.equal(await keyboard.focused(), name);
    }
  });

  check("the theme is the system's until another is chosen, which is remembered", { theme: "dark" }, async (it) => {
    const background = () => it.page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await it.open({ org, ...RANGE });
    await it.complete();
    const dark = await background();
    await it.button("Dark theme").click();
    await eventually(async () => assert.notEqual(await background(), dark));
    await it.page.reload();
    assert.notEqual(await background(), dark);
  });
});
