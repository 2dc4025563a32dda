// Asks the three endpoints with the published TypeScript client, and checks the answers against the schema that comes
// with it.
//
// Reads one JSON object: where to ask, and the questions. Writes one JSON array: the status of each answer and its
// body; or why the schema refused it.

import { readFileSync } from "node:fs";
import { AiAnalyticsService, ApiError, OpenAPI } from "@iblai/iblai-api";
import Ajv from "ajv";
import { parse } from "yaml";

const asked = JSON.parse(readFileSync(0, "utf8"));
OpenAPI.BASE = asked.base_url;
OpenAPI.HEADERS = { Authorization: `Api-Token ${asked.key}` };

// The whole description is one schema with definitions. Formats are left to the client that has types for them.
const description = new URL("node_modules/@iblai/iblai-api/sdk_schema.yml", import.meta.url);
const schemas = new Ajv({ strict: false, validateFormats: false });
schemas.addSchema({ components: parse(readFileSync(description, "utf8")).components }, "api");
const model = (name) => ({ $ref: `api#/components/schemas/${name}` });
const listOf = (name) => ({ type: "array", items: model(name) });

const endpoints = {
  "transcripts/": {
    ask: (of) => AiAnalyticsService.aiAnalyticsOrgsUsersTranscriptsList(of),
    accepts: schemas.compile(listOf("ConversationMessage")),
  },
  "usage-summary/": {
    ask: (of) => AiAnalyticsService.aiAnalyticsOrgsUsersUsageSummaryList({ ...of, groupBy: of.group_by }),
    accepts: schemas.compile(listOf("UserCountRecord")),
  },
  "user-cohorts-over-time/": {
    ask: (of) =>
      AiAnalyticsService.aiAnalyticsOrgsUsersUserCohortsOverTimeRetrieve({ ...of, mentorId: of.mentor_id }),
    accepts: schemas.compile(model("UserTrendByPeriod")),
  },
};

const answers = [];
for (const { endpoint, org, parameters } of asked.questions) {
  const { ask, accepts } = endpoints[endpoint];
  const of = { ...parameters, org, userId: "me", startDate: parameters.start_date, endDate: parameters.end_date };
  try {
    const answer = await ask(of);
    answers.push(accepts(answer) ? { status: 200, answer } : { status: 200, refused: schemas.errorsText(accepts.errors) });
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    answers.push({ status: error.status, answer: error.body });
  }
}
process.stdout.write(JSON.stringify(answers));
