/** Keys, what is published while the page is looked at, and what stands where there is no answer. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { activeUsers, day } from "./api.mjs";
import { check, eventually, watch } from "./browser.mjs";
import { Dashboard } from "./dashboard.mjs";
import { act, setting } from "./stage.mjs";

const { org, key, emptyOrg, otherKey } = setting;
const UNREACHABLE = "The server cannot be reached.";

/** A message of a user, in a conversation of its own. */
function message(ofOrg, user_id, content, time) {
  const data = { message_id: randomUUID(), conversation_id: randomUUID(), role: "user", user_id, mentor_id: "euclid", content };
  return JSON.stringify({ specversion: "1.0", id: randomUUID(), source: "/tutor", type: "chat.message.created.v1", time, org: ofOrg, data });
}

/** Three days, of which two meet at a midnight that two users write around. */
const RANGE = { start_date: "2024-01-05", end_date: "2024-01-07" };
await act({
  publish: [
    message(org, "ada", "before midnight", "2024-01-05T23:30:00Z"),
    message(org, "ada", "after midnight", "2024-01-06T00:30:00Z"),
    message(org, "bob", "in the evening", "2024-01-06T19:30:00Z"),
  ],
});
await eventually(async () => assert.equal((await activeUsers(RANGE, "day"))[1][1], 2));

for (const timeZone of ["America/Los_Angeles", "Pacific/Auckland"]) {
  check(`a day is a day of UTC in ${timeZone}`, { timeZone }, async (it) => {
    await it.open({ org, ...RANGE });
    await it.complete();
    const days = ["2024-01-05", "2024-01-06", "2024-01-07"].map(Date.parse);
    assert.deepEqual(await it.table("Active users by day"), [[days[0], 1], [days[1], 2], [days[2], 0]]);
    assert.deepEqual(await it.table("New and veteran users by day"), [[days[0], 1, 0], [days[1], 1, 0], [days[2], 0, 0]]);
    const began = await it.rows.locator("time").allInnerTexts();
    assert.deepEqual(began, ["6 Jan 2024 19:30", "6 Jan 2024 00:30", "5 Jan 2024 23:30"]);
    const written = await it.chart("Active users by day").locator("tbody th").allInnerTexts();
    assert.deepEqual(written, ["Fri, 5 Jan 2024", "Sat, 6 Jan 2024", "Sun, 7 Jan 2024"]);
    assert.deepEqual([await it.from.inputValue(), await it.to.inputValue()], [RANGE.start_date, RANGE.end_date]);
  });
}

check("the key is asked for once, and is of this tab alone", { key: "", statuses: [401] }, async (it) => {
  const stored = (page) => page.evaluate(() => [JSON.stringify(sessionStorage), JSON.stringify(localStorage), document.cookie, location.href]);
  await it.open({ org });
  assert.equal(await it.key.getAttribute("type"), "password");
  await it.key.fill("wrong");
  await it.button("Open").click();
  await it.alert.getByText("The API does not accept this key.").waitFor();
  assert.ok(!(await stored(it.page)).join().includes("wrong"));
  await it.key.fill(key);
  await it.button("Open").click();
  await it.complete();
  const [session, ...elsewhere] = await stored(it.page);
  assert.ok(session.includes(key) && !elsewhere.join().includes(key), `${elsewhere}`);
  await it.page.reload();
  await it.complete();

  const tab = await it.page.context().newPage();
  watch(tab, it.page.log);
  const inTab = new Dashboard(tab);
  await inTab.open({ org });
  await inTab.key.waitFor();
  assert.equal((await stored(tab)).join().includes(key), false);

  await it.button("Switch organisation").click();
  await it.button("Sign out").click();
  await it.page.getByRole("heading", { name: "Open an organisation" }).waitFor();
  assert.equal((await stored(it.page)).join().includes(key), false);
});

check("an organisation that is not there is said to be so", { statuses: [404] }, async (it) => {
  await it.open({ org: "nowhere" });
  await it.alert.getByText("There is no such organisation").waitFor();
});

check("an organisation that the key does not open is said to be so", { key: otherKey, statuses: [403] }, async (it) => {
  await it.open({ org });
  await it.alert.getByText("This key does not open this organisation").waitFor();
});

check("an empty organisation says so, and what is published appears by itself", {}, async (it) => {
  await it.open({ org: emptyOrg });
  await it.complete();
  await it.list.getByText("No conversations in this range").waitFor();
  assert.equal(await it.page.getByText("Nobody in this range").count(), 2);
  await it.page.evaluate(() => (window.isTheSame = true));
  for (const [number, text] of [[1, "is anybody there?"], [2, "hello"]]) {
    await act({ publish: [message(emptyOrg, `user-${number}`, text, new Date().toISOString())] });
    await eventually(async () => {
      assert.equal(await it.firstMessage(0).innerText(), text);
      assert.equal(await it.rows.count(), number);
      assert.deepEqual((await it.table("Active users by day")).at(-1), [Date.parse(day(0)), number]);
      assert.deepEqual(await it.tiles.allInnerTexts(), [number, number, number, number].map(String));
    });
  }
  assert.ok(await it.page.evaluate(() => window.isTheSame), "the page was loaded again");
});

check("an answer that takes its time is announced", { key: "" }, async (it) => {
  await it.open({ org, ...RANGE });
  await it.key.fill(key);
  await act({ signal: "STOP" });
  try {
    await it.button("Open").click();
    await it.page.getByRole("status").getByText("Loading").first().waitFor();
    assert.equal(await it.page.getByRole("img", { name: "not known yet" }).count(), 4);
    assert.equal(await it.rows.count(), 0);
  } finally {
    await act({ signal: "CONT" });
  }
  await it.complete();
  assert.equal(await it.rows.count(), 3);
});

check("a server that is gone is said to be so, and asked again until it is back", { statuses: [0] }, async (it) => {
  await it.open({ org, ...RANGE });
  await it.complete();
  await act("stop");
  // What is known stays, with the time until which it held.
  await it.list.getByRole("status").getByText(UNREACHABLE).waitFor();
  await it.page.getByText("Not connected").waitFor();
  assert.equal(await it.rows.count(), 3);
  await it.button("Download as CSV: All transcripts").click();
  await it.alert.getByText(UNREACHABLE).waitFor();
  await it.mentor.fill("euclid");
  await it.list.getByRole("alert").getByText("The page keeps asking.").waitFor();
  await act("start");
  await it.list.getByRole("button", { name: "Ask again" }).click();
  await eventually(async () => assert.equal(await it.rows.count(), 3));
  await eventually(async () => assert.equal(await it.page.getByText(UNREACHABLE).count() + (await it.page.getByText("Not connected").count()), 0));
  assert.equal((await it.table("Active users by day"))[1][1], 2);
});
