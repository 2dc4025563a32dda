/** What the page shows, and the address that says so: a view can be shared, and back and forward work. */
import { addDays, dayMillis, GRAINS, type Day, type Grain } from "./days";

/** What the address asks for. An empty text is an absent parameter. */
export interface View {
  org: string;
  startDate: Day;
  endDate: Day;
  groupBy: Grain;
  mentor: string;
  /** As the API reads it: names between commas, and one that holds a comma in double quotes. */
  topics: string;
}

export interface ParsedView {
  /** Without the parameters that are wrong. */
  view: View;
  /** One sentence for each parameter that is wrong. */
  problems: string[];
}

const DEFAULT_DAYS = 30;

/** Reads the part of an address after `?`. Unknown parameters are ignored, as the API does. */
export function parseView(search: string): ParsedView {
  const params = new URLSearchParams(search);
  const problems: string[] = [];
  // Of a parameter that is repeated the last value counts, and a blank one is absent: the API's rules.
  const last = (name: string) => (params.getAll(name).at(-1) ?? "").trim();
  const day = (name: string): Day => {
    const value = last(name);
    if (value === "" || dayMillis(value) !== undefined) return value;
    problems.push(`${name} is not a day of the form YYYY-MM-DD: ${value}`);
    return "";
  };

  const view: View = {
    org: last("org"),
    startDate: day("start_date"),
    endDate: day("end_date"),
    groupBy: "day",
    mentor: last("mentor"),
    topics: params
      .getAll("topics")
      .map((value) => value.trim())
      .filter((value) => value !== "")
      .join(","),
  };
  const groupBy = last("group_by");
  if (isGrain(groupBy)) view.groupBy = groupBy;
  else if (groupBy !== "") problems.push(`group_by is none of ${GRAINS.join(", ")}: ${groupBy}`);
  if (view.startDate !== "" && view.endDate !== "" && view.startDate > view.endDate) {
    problems.push(`start_date ${view.startDate} is after end_date ${view.endDate}`);
    view.startDate = view.endDate = "";
  }
  return { view, problems };
}

/** The address of a view, relative to the page: the inverse of `parseView`. */
export function viewAddress(view: View): string {
  const params = new URLSearchParams();
  const set = (name: string, value: string) => {
    if (value !== "") params.set(name, value);
  };
  set("org", view.org);
  set("start_date", view.startDate);
  set("end_date", view.endDate);
  set("group_by", view.groupBy === "day" ? "" : view.groupBy);
  set("mentor", view.mentor);
  set("topics", view.topics);
  return `?${params}`;
}

/** The days that a view covers: where it names none, the last 30, which move on with `today`. */
export function viewRange(view: View, today: Day): { first: Day; last: Day } {
  const last = view.endDate || (view.startDate > today ? view.startDate : today);
  return { first: view.startDate || addDays(last, 1 - DEFAULT_DAYS), last };
}

/** The names in `topics`, of which each may stand in double quotes (RFC 4180). */
export function splitTopics(topics: string): string[] {
  const names = topics.match(/\s*"(?:[^"]|"")*"\s*(?=,|$)|[^,]+/g) ?? [];
  return names.map((name) => name.trim()).filter((name) => name !== "");
}

/** A topic as `topics` spells it. */
export function quoteTopic(name: string): string {
  return name.includes(",") || name.startsWith('"') ? `"${name.replaceAll('"', '""')}"` : name;
}

function isGrain(value: string): value is Grain {
  return (GRAINS as readonly string[]).includes(value);
}
