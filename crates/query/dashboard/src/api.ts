/** Requests to the API that serves the page, and its answers. */
import type { Grain } from "./days";
import type { View } from "./view";

export interface DayCount {
  /** A day, or under `group_by=hour` the instant at which the hour begins. */
  date: string;
  user_count: number;
}

export interface Cohorts {
  periods: string[];
  new_users: number[];
  veteran_users: number[];
}

export interface Topic {
  name: string;
}

export interface Conversation {
  id: string;
  first_message: string;
  topics: Topic[];
  user_id: string;
  message_count: number;
  model: string;
  inserted_at: string;
  user_sentiment: string;
}

export interface ConversationPage {
  conversations: Conversation[];
  total: number;
}

export interface Message {
  id: string;
  role: string;
  user_id: string;
  mentor_id: string;
  content: string;
  model: string;
  created_at: string;
}

export interface MentorCount {
  mentor_id: string;
  conversation_count: number;
}

export interface TopicCount {
  name: string;
  conversation_count: number;
}

/** How far ingestion is, as it last wrote it down. */
export interface Pipeline {
  /** The time of the newest event that is in the answers. */
  newest_event_at: string | null;
  /** Records that are published and not yet in the answers. */
  lag: number;
  rejected: number;
  /** When ingestion wrote this. */
  as_of: string | null;
}

export const PAGE_SIZE = 25;

/** An answer that is none; `message` is the API's own sentence where it has one. */
export class ApiError extends Error {
  constructor(
    /** Of HTTP, or 0 if no answer came. */
    readonly status: number,
    message: string,
    /** When to ask again at the earliest, if the API says so. */
    readonly retryAfterMillis = 0,
  ) {
    super(message);
  }
}

/** A successful answer, not yet parsed: equal bodies need no new drawing. */
export interface Reply {
  body: string;
  /** `X-Total-Count`, where the answer is a page. */
  total: number;
  /** When it came, by the server's clock. */
  servedAt: number;
}

/** What the cohorts' endpoint calls a grain. */
const AGGREGATIONS: Record<Grain, string> = { hour: "hourly", day: "daily", week: "weekly", month: "monthly" };

/** The addresses of the API, relative to the page, so that they hold under any prefix. */
export const paths = {
  activeUsers: (org: string, first: string, last: string, grain: Grain) =>
    path(org, "usage-summary/", { start_date: first, end_date: last, group_by: grain }),
  cohorts: (org: string, first: string, last: string, grain: Grain, mentor: string) =>
    path(org, "user-cohorts-over-time/", {
      start_date: first,
      end_date: last,
      aggregation: AGGREGATIONS[grain],
      mentor_id: mentor,
    }),
  /** One page, or without a number all of them. */
  conversations: ({ org, mentor, topics }: View, first: string, last: string, page?: number) => {
    const place: Record<string, string> = page === undefined ? {} : { page: String(page), page_size: String(PAGE_SIZE) };
    return path(org, "transcripts/", { start_date: first, end_date: last, mentor, topics, ...place });
  },
  messages: (org: string, conversation: string) =>
    path(org, `conversations/${encodeURIComponent(conversation)}/messages/`, {}),
  mentors: (org: string, first: string, last: string) => path(org, "mentors/", { start_date: first, end_date: last }),
  topics: (org: string, first: string, last: string) => path(org, "topics/", { start_date: first, end_date: last }),
  pipeline: (org: string) => path(org, "pipeline/", {}),
};

/** Asks the API. Fails with an `ApiError`, or with an `AbortError` once `signal` is aborted. */
export async function ask(address: string, key: string, signal: AbortSignal): Promise<Reply> {
  // The browser asks with `If-None-Match`, and takes a 304 for the answer that it still has.
  const { headers, body } = await request(address, key, { accept: "application/json", cache: "no-cache", signal }, (it) => it.text());
  return {
    body,
    total: Number(headers.get("x-total-count") ?? NaN),
    servedAt: Date.parse(headers.get("date") ?? "") || Date.now(),
  };
}

/** Asks the API for a whole answer as CSV, however long. Fails with an `ApiError`. */
export async function askFile(address: string, key: string): Promise<Blob> {
  const { body } = await request(address, key, { accept: "text/csv", cache: "no-store" }, (it) => it.blob());
  return body;
}

interface Asking {
  accept: string;
  cache: RequestCache;
  signal?: AbortSignal;
}

async function request<T>(address: string, key: string, { accept, cache, signal }: Asking, read: (response: Response) => Promise<T>) {
  let response: Response;
  let detail: string;
  try {
    const headers = { Authorization: `Api-Token ${key}`, Accept: accept };
    response = await fetch(address, { headers, cache, credentials: "omit", signal });
    if (response.ok) return { headers: response.headers, body: await read(response) };
    detail = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError(0, "The server cannot be reached.");
  }
  throw new ApiError(response.status, detailOf(detail, response.status), retryAfterMillis(response.headers));
}

function path(org: string, endpoint: string, params: Record<string, string>): string {
  const given = Object.entries(params).filter(([, value]) => value !== "");
  const query = given.length > 0 ? `?${new URLSearchParams(given)}` : "";
  return `api/ai-analytics/orgs/${encodeURIComponent(org)}/users/dashboard/${endpoint}${query}`;
}

function detailOf(body: string, status: number): string {
  try {
    const { detail } = JSON.parse(body) as { detail?: unknown };
    if (typeof detail === "string" && detail !== "") return detail;
  } catch {
    // A proxy in between answers with a page of its own.
  }
  return `The server answered with status ${status}.`;
}

/** `Retry-After` is a number of seconds or a date. */
function retryAfterMillis(headers: Headers): number {
  const value = headers.get("retry-after");
  if (value === null) return 0;
  const millis = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return Number.isFinite(millis) ? Math.max(0, millis) : 0;
}
