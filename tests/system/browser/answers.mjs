/** The page shows what the API answers, and asks it what it is asked. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { describe } from "node:test";
import { activeUsers, ask, cohorts, day, json } from "./api.mjs";
import { check, eventually } from "./browser.mjs";
import { setting } from "./stage.mjs";

/** Three weeks of the past, which nothing changes. */
const RANGE = { start_date: day(-33), end_date: day(-13) };
const PAGE_SIZE = 25;

const { org } = setting;
const [{ mentor_id: mentor }] = await json("mentors", RANGE);
const [{ name: topic }, { name: otherTopic }] = await json("topics", RANGE);

/** The API's conversations as the page writes them. */
function asShown(conversations) {
  const orDash = (text) => (text === "" || text === "unknown" ? "–" : text);
  return conversations.map(({ inserted_at, first_message, user_id, topics, message_count, user_sentiment, model }) => ({
    inserted_at, first_message, user_id, topics: topics.map(({ name }) => name), message_count,
    user_sentiment: orDash(user_sentiment), model: orDash(model),
  }));
}

/** Compares the list of the page with a page of the API's, and its total. */
async function assertLists(it, filters, page = 1) {
  const answer = await ask("transcripts", { ...filters, page, page_size: PAGE_SIZE });
  const total = Number(answer.headers.get("x-total-count"));
  const conversations = await answer.json();
  const from = (page - 1) * PAGE_SIZE + 1;
  await eventually(async () => {
    assert.deepEqual(await it.conversations(), asShown(conversations));
    assert.deepEqual(await it.place(), [from, from + conversations.length - 1, total]);
  });
  return total;
}

async function assertCharts(it, range, grain, withMentor = "") {
  const [active, growth] = await Promise.all([activeUsers(range, grain), cohorts(range, grain, withMentor)]);
  assert.ok([...active, ...growth].some(([, users]) => users > 0), "there is something to show");
  await eventually(async () => assert.deepEqual(await it.table(`Active users by ${grain}`), active));
  await eventually(async () => assert.deepEqual(await it.table(`New and veteran users by ${grain}`), growth));
  return { active, growth };
}

describe("answers", { concurrency: 2 }, () => {
  for (const timeZone of ["America/Los_Angeles", "Pacific/Auckland"]) {
    check(`the charts and the list hold the numbers of the API in ${timeZone}`, { timeZone }, async (it) => {
      await it.open({ org, ...RANGE });
      for (const [grain, name] of Object.entries({ day: "Day", hour: "Hour", week: "Week", month: "Month" })) {
        await it.button(name).click();
        const { active, growth } = await assertCharts(it, RANGE, grain);
        const counts = active.map(([, users]) => users);
        const newUsers = growth.reduce((sum, [, users]) => sum + users, 0);
        const figures = [counts.at(-1), Math.max(...counts), newUsers].map((figure) => figure.toLocaleString("en"));
        await eventually(async () => assert.deepEqual((await it.tiles.allInnerTexts()).slice(0, 3), figures));
      }
      const total = await assertLists(it, RANGE);
      assert.equal(await it.tiles.last().innerText(), total.toLocaleString("en"));
      // A day is written as the API names it, and an instant in UTC.
      assert.equal(await it.from.inputValue(), RANGE.start_date);
      const [{ inserted_at }] = await it.conversations();
      const began = await it.rows.first().locator("time").innerText();
      assert.equal(Date.parse(`${began} UTC`), Math.floor(Date.parse(inserted_at) / 60_000) * 60_000);
    });
  }

  check("ranges are the last days, or any", {}, async (it) => {
    await it.open({ org });
    assert.deepEqual(await it.pressed("Range"), ["30 days"]);
    for (const days of [7, 90]) {
      await it.button(`${days} days`).click();
      const range = { start_date: day(1 - days), end_date: day(0) };
      await assertCharts(it, range, "day");
      assert.deepEqual(it.params(), { org, ...range });
      assert.deepEqual(await it.pressed("Range"), [`${days} days`]);
    }
    await it.from.fill(RANGE.start_date);
    await it.to.fill(RANGE.end_date);
    await it.to.blur();
    await assertCharts(it, RANGE, "day");
    await assertLists(it, RANGE);
    assert.deepEqual(it.params(), { org, ...RANGE });
    assert.deepEqual(await it.pressed("Range"), []);
    // A range that would end before it begins is the day that was given last.
    await it.to.fill(day(-40));
    await eventually(() => assert.deepEqual(it.params(), { org, start_date: day(-40), end_date: day(-40) }));
  });

  check("a mentor and topics narrow what they can, and begin at the first page", {}, async (it) => {
    await it.open({ org, ...RANGE });
    const all = await assertLists(it, RANGE);
    const toSecondPage = async (filters) => {
      await it.button("Next").click();
      await assertLists(it, filters, 2);
    };
    await toSecondPage(RANGE);
    await it.mentor.fill(mentor);
    const ofMentor = await assertLists(it, { ...RANGE, mentor });
    await assertCharts(it, RANGE, "day", mentor);
    await toSecondPage({ ...RANGE, mentor });
    await it.topics.fill(`${topic}, ${otherTopic}`);
    const topics = `${topic},${otherTopic}`;
    const ofTopics = await assertLists(it, { ...RANGE, mentor, topics });
    await it.button("7 days").click();
    await assertLists(it, { start_date: day(-6), end_date: day(0), mentor, topics });
    assert.ok(all > ofMentor && ofMentor > ofTopics && ofTopics > 0, `${all}, ${ofMentor}, ${ofTopics}`);
    await it.button("Clear").click();
    await assertLists(it, { start_date: day(-6), end_date: day(0) });
    assert.deepEqual([await it.mentor.inputValue(), await it.topics.inputValue()], ["", ""]);
  });

  check("suggestions are the mentors and topics of the range", {}, async (it) => {
    await it.open({ org, ...RANGE });
    const options = (id) => it.page.locator(`datalist#${id} option`).evaluateAll((found) => found.map((option) => option.value));
    const mentors = (await json("mentors", RANGE)).map(({ mentor_id }) => mentor_id);
    const topics = (await json("topics", RANGE)).map(({ name }) => name);
    await eventually(async () => assert.deepEqual([await options("mentors"), await options("topics")], [mentors, topics]));
    await it.topics.fill(`${topic}, `);
    await eventually(async () => assert.equal((await options("topics"))[1], `${topic}, ${otherTopic}`));
  });

  check("pages are those of the API, from the first to the last", {}, async (it) => {
    await it.open({ org, ...RANGE });
    const total = await assertLists(it, RANGE);
    const last = Math.ceil(total / PAGE_SIZE);
    assert.ok(last > 3, `${total} conversations`);
    for (const [name, page] of [["Next", 2], ["Next", 3], ["Previous", 2], ["Last", last], ["Previous", last - 1], ["First", 1]]) {
      await it.button(name).click();
      await assertLists(it, RANGE, page);
    }
    for (const name of ["First", "Previous"]) assert.ok(await it.button(name).isDisabled(), name);
  });

  check("a conversation shows its messages", {}, async (it) => {
    await it.open({ org, ...RANGE, mentor });
    const [conversation] = await json("transcripts", { ...RANGE, mentor, page: 1, page_size: 1 });
    const messages = await json(`conversations/${conversation.id}/messages`);
    await it.firstMessage(0).click();
    const shown = () => it.messages.getByRole("listitem").evaluateAll((items) =>
      items.map((item) => [item.querySelector("b").textContent, item.querySelector("time").dateTime, item.querySelector(".content").textContent]));
    const authors = { user: "user_id", assistant: "mentor_id" };
    const expected = messages.map((message) => [message[authors[message.role]] || message.role, message.created_at, message.content]);
    await eventually(async () => assert.deepEqual(await shown(), expected));
    const facts = await it.dialog.locator("dd").allInnerTexts();
    for (const fact of [conversation.id, conversation.user_id, conversation.user_sentiment]) assert.ok(facts.includes(fact), `${facts}`);
    await it.button("Close").click();
    await it.dialog.waitFor({ state: "detached" });
  });

  const shared = { org, ...RANGE, group_by: "week", mentor, topics: topic };
  check("an address that is shared shows the same, and follows what is shown", {}, async (it) => {
    await it.open(shared);
    await assertCharts(it, RANGE, "week", mentor);
    await assertLists(it, { ...RANGE, mentor, topics: topic });
    const inputs = [it.from, it.to, it.mentor, it.topics];
    const controls = async () => [...(await Promise.all(inputs.map((input) => input.inputValue()))), ...(await it.pressed("Group by"))];
    const asShared = [RANGE.start_date, RANGE.end_date, mentor, topic, "Week"];
    assert.deepEqual(await controls(), asShared);

    await it.button("Month").click();
    await it.topics.fill("");
    await it.topics.press("Enter");
    const changed = { org, ...RANGE, group_by: "month", mentor };
    await eventually(() => assert.deepEqual(it.params(), changed));
    await assertLists(it, { ...RANGE, mentor });
    await it.page.goBack();
    await it.page.goBack();
    assert.deepEqual(it.params(), shared);
    await eventually(async () => assert.deepEqual(await controls(), asShared));
    await assertLists(it, { ...RANGE, mentor, topics: topic });
    await it.page.goForward();
    await it.page.goForward();
    await eventually(async () => assert.deepEqual(await controls(), [RANGE.start_date, RANGE.end_date, mentor, "", "Month"]));
    await it.page.reload();
    await assertLists(it, { ...RANGE, mentor });
    assert.deepEqual(it.params(), changed);
  });

  check("files are the API's own CSV", {}, async (it) => {
    await it.open(shared);
    await it.complete();
    const range = `${RANGE.start_date}-${RANGE.end_date}`;
    const files = [
      ["Active users by week", `${org}-active-users-by-week-${range}.csv`, "usage-summary", { group_by: "week" }],
      ["New and veteran users by week", `${org}-user-cohorts-by-week-${range}.csv`, "user-cohorts-over-time",
        { aggregation: "weekly", mentor_id: mentor }],
      ["All transcripts", `${org}-transcripts-${range}.csv`, "transcripts", { mentor, topics: topic }],
    ];
    for (const [what, name, endpoint, params] of files) {
      const [download] = await Promise.all([it.page.waitForEvent("download"), it.button(`Download as CSV: ${what}`).click()]);
      const expected = await (await ask(endpoint, { ...RANGE, ...params }, "text/csv")).text();
      assert.equal(await readFile(await download.path(), "utf8"), expected, what);
      assert.equal(download.suggestedFilename(), name);
      // More than a line of names, and of conversations all pages.
      assert.ok(expected.split("\r\n").length > (endpoint === "transcripts" ? PAGE_SIZE : 1) + 2, what);
    }
  });
});
