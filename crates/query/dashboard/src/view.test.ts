import { describe, expect, it } from "vitest";
import { parseView, quoteTopic, splitTopics, viewAddress, viewRange, type View } from "./view";

const defaults: View = { org: "", startDate: "", endDate: "", groupBy: "day", mentor: "", topics: "" };

describe("the address", () => {
  it("holds a view, and gives it back", () => {
    const views: Partial<View>[] = [
      {},
      { org: "acme" },
      { org: "acme", startDate: "2026-01-05", endDate: "2026-02-28", groupBy: "hour" },
      { org: "a&b=c/d é", mentor: "euclid & sons", topics: '"sines, cosines",Straße,50%', groupBy: "month" },
      { org: "acme", endDate: "2026-01-05", groupBy: "week" },
    ];
    for (const part of views) {
      const view = { ...defaults, ...part };
      expect(parseView(viewAddress(view))).toEqual({ view, problems: [] });
    }
  });

  it("has no parameter but those of a view", () => {
    const view = { ...defaults, org: "acme", startDate: "2026-01-05", endDate: "2026-01-06", groupBy: "hour", mentor: "m", topics: "t" } as const;
    expect([...new URLSearchParams(viewAddress(view)).keys()]).toEqual(["org", "start_date", "end_date", "group_by", "mentor", "topics"]);
  });

  it("is read as the API reads its own", () => {
    expect(parseView("?org=a&org=b&mentor=%20&utm_source=x&topics=sines&topics=cosines").view).toEqual({ ...defaults, org: "b", topics: "sines,cosines" });
  });

  it("says what is wrong with it, and keeps the rest", () => {
    const { view, problems } = parseView("?org=acme&start_date=2026-02-30&group_by=year&mentor=euclid");
    expect(view).toEqual({ ...defaults, org: "acme", mentor: "euclid" });
    expect(problems).toEqual(["start_date is not a day of the form YYYY-MM-DD: 2026-02-30", "group_by is none of hour, day, week, month: year"]);
  });

  it("cannot end before it begins", () => {
    const { view, problems } = parseView("?start_date=2026-02-02&end_date=2026-02-01");
    expect(view).toEqual(defaults);
    expect(problems).toEqual(["start_date 2026-02-02 is after end_date 2026-02-01"]);
  });
});

it("a view without days covers the last 30, today included", () => {
  expect(viewRange(defaults, "2026-11-30")).toEqual({ first: "2026-11-01", last: "2026-11-30" });
  expect(viewRange({ ...defaults, startDate: "2026-11-20" }, "2026-11-30")).toEqual({ first: "2026-11-20", last: "2026-11-30" });
  expect(viewRange({ ...defaults, startDate: "2027-01-01" }, "2026-11-30")).toEqual({ first: "2027-01-01", last: "2027-01-01" });
  expect(viewRange({ ...defaults, endDate: "2026-01-30" }, "2026-11-30")).toEqual({ first: "2026-01-01", last: "2026-01-30" });
});

it("topics are split at commas that are not quoted", () => {
  expect(splitTopics('angles, "sines, cosines" ,half "quoted')).toEqual(["angles", '"sines, cosines"', 'half "quoted']);
  expect(splitTopics(" , ")).toEqual([]);
  expect(["angles", "sines, cosines", '"so", he said'].map(quoteTopic)).toEqual(["angles", '"sines, cosines"', '"""so"", he said"']);
});
