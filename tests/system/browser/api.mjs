/** What the API answers, to compare the page with. */
import assert from "node:assert/strict";
import { setting } from "./stage.mjs";

/** An answer of an endpoint of the organisation. */
export async function ask(endpoint, params = {}, accept = "application/json") {
  const address = `${setting.url}/api/ai-analytics/orgs/${setting.org}/users/me/${endpoint}/?${new URLSearchParams(params)}`;
  const answer = await fetch(address, { headers: { Authorization: `Api-Token ${setting.key}`, Accept: accept } });
  assert.equal(answer.status, 200, address);
  return answer;
}

export async function json(endpoint, params) {
  return (await ask(endpoint, params)).json();
}

const AGGREGATIONS = { hour: "hourly", day: "daily", week: "weekly", month: "monthly" };

/** The active users of each period, as rows: when it begins, and how many. */
export async function activeUsers(range, grain) {
  const counts = await json("usage-summary", { ...range, group_by: grain });
  return counts.map(({ date, user_count }) => [Date.parse(date), user_count]);
}

/** New and veteran users of each period, as rows. */
export async function cohorts(range, grain, mentor = "") {
  const { periods, new_users, veteran_users } = await json("user-cohorts-over-time", {
    ...range, aggregation: AGGREGATIONS[grain], mentor_id: mentor,
  });
  return periods.map((period, at) => [Date.parse(period), new_users[at], veteran_users[at]]);
}

/** The day that is so many days after today, in UTC. */
export function day(days) {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}
