// Asks the three endpoints with openapi-fetch and the types that openapi-typescript makes of the description.
//
// Reads one JSON object: where to ask, and the questions. Writes one JSON array: the status of each answer and what its type
// says it holds, field by field.

import { readFileSync } from "node:fs";
import createClient from "openapi-fetch";
import type { components, operations, paths } from "./client.js";

type Schemas = components["schemas"];
type Query<Name extends keyof operations> = NonNullable<operations[Name]["parameters"]["query"]>;
interface Question {
  org: string;
  endpoint: string;
  parameters: Record<string, string>;
}

// Written with the types that hours and counts have: the compiler refuses any other.
const usageCount = ({ date, user_count }: Schemas["UsageCount"]): { date: string; user_count: number } => ({ date, user_count });
const topic = ({ name }: Schemas["TopicModel"]) => ({ name });
const transcript = (of: Schemas["Transcript"]) => ({
  first_message: of.first_message,
  topics: of.topics.map(topic),
  id: of.id,
  user_id: of.user_id,
  message_count: of.message_count satisfies number,
  model: of.model,
  inserted_at: of.inserted_at satisfies string,
  user_sentiment: of.user_sentiment,
});
const cohorts = (of: Schemas["Cohorts"]) => ({
  periods: of.periods satisfies string[],
  new_users: of.new_users satisfies number[],
  veteran_users: of.veteran_users satisfies number[],
});

const asked: { base_url: string; key: string; questions: Question[] } = JSON.parse(readFileSync(0, "utf8"));
const client = createClient<paths>({
  baseUrl: asked.base_url,
  headers: { Authorization: `Api-Token ${asked.key}` },
});

async function answer({ org, endpoint, parameters }: Question): Promise<{ status: number; answer: unknown }> {
  const path = { org, user_id: "me" };
  const { page, page_size, ...texts } = parameters;
  if (endpoint === "transcripts/") {
    const numbers = { ...(page && { page: Number(page) }), ...(page_size && { page_size: Number(page_size) }) };
    const query: Query<"ai_analytics_orgs_users_transcripts_list"> = { ...texts, ...numbers };
    const of = { params: { path, query } };
    const { data, error, response } = await client.GET("/api/ai-analytics/orgs/{org}/users/{user_id}/transcripts/", of);
    return { status: response.status, answer: json(data)?.map(transcript) ?? error };
  }
  if (endpoint === "usage-summary/") {
    const query = texts as Query<"ai_analytics_orgs_users_usage_summary_list">;
    const of = { params: { path, query } };
    const { data, error, response } = await client.GET("/api/ai-analytics/orgs/{org}/users/{user_id}/usage-summary/", of);
    return { status: response.status, answer: json(data)?.map(usageCount) ?? error };
  }
  const query = texts as Query<"ai_analytics_orgs_users_user_cohorts_over_time_retrieve">;
  const of = { params: { path, query } };
  const asking = client.GET("/api/ai-analytics/orgs/{org}/users/{user_id}/user-cohorts-over-time/", of);
  const { data, error, response } = await asking;
  const found = json(data);
  return { status: response.status, answer: found ? cohorts(found) : error };
}

// The description has two forms of these answers, and so has their type: JSON, and CSV as text.
function json<T>(data: T | string | undefined): T | undefined {
  if (typeof data === "string") throw new Error("CSV, which was not asked for");
  return data;
}

const answers = [];
for (const question of asked.questions) answers.push(await answer(question));
process.stdout.write(JSON.stringify(answers));
