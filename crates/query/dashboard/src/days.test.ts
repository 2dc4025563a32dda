import { describe, expect, it } from "vitest";
import { addDays, dayMillis, dayOf, daysInRange, formatAge, formatDay, formatHour, formatPeriod, formatTick, nextPeriodMillis, periodMillis } from "./days";

// The suite runs west and east of Greenwich (see package.json): in either a local getter would give another day.
describe(`days in ${process.env.TZ ?? "the local time zone"}`, () => {
  it("are the API's own, wherever the browser is", () => {
    expect(formatDay(periodMillis("2026-01-05"))).toBe("5 Jan 2026");
    expect(formatPeriod(periodMillis("2026-01-05"), "day")).toBe("Mon, 5 Jan 2026");
    expect(formatPeriod(periodMillis("2026-01-05T00:00:00Z"), "week")).toBe("Week of 5 Jan 2026");
    expect(formatPeriod(periodMillis("2026-01-01T00:00:00Z"), "month")).toBe("Jan 2026");
    expect(dayOf(periodMillis("2026-01-05"))).toBe("2026-01-05");
  });

  it("begin and end at midnight in Greenwich", () => {
    expect(dayOf(Date.UTC(2026, 0, 5))).toBe("2026-01-05");
    expect(dayOf(Date.UTC(2026, 0, 6) - 1)).toBe("2026-01-05");
  });

  it("have hours in UTC", () => {
    const hour = periodMillis("2026-01-05T23:00:00Z");
    expect(formatPeriod(hour, "hour")).toBe("5 Jan 2026, 23:00 UTC");
    expect(formatHour(hour)).toBe("23:00");
    expect(formatTick(hour, "hour")).toBe("23:00");
    expect(formatTick(periodMillis("2026-01-05T00:00:00Z"), "hour")).toBe("5 Jan");
  });

  it("are added over months, leap days and changes of the clock", () => {
    expect(addDays("2026-01-01", -1)).toBe("2025-12-31");
    expect(addDays("2028-02-28", 1)).toBe("2028-02-29");
    for (const change of ["2026-03-08", "2026-04-05", "2026-09-27", "2026-11-01"]) {
      expect(addDays(addDays(change, 1), -1)).toBe(change);
      expect(daysInRange(addDays(change, -1), addDays(change, 1))).toBe(3);
    }
  });

  it("are refused where there are none", () => {
    for (const text of ["2026-02-29", "2026-13-01", "2026-1-5", "20260105", "2026-01-05T00:00:00Z", "tomorrow", ""]) {
      expect(dayMillis(text), text).toBeUndefined();
    }
  });
});

it("a month ends with its last day", () => {
  expect(nextPeriodMillis(Date.UTC(2026, 11, 1), "month")).toBe(Date.UTC(2027, 0, 1));
  expect(nextPeriodMillis(Date.UTC(2026, 1, 1), "month")).toBe(Date.UTC(2026, 2, 1));
});

it("an age has one unit", () => {
  expect([-5, 3_000, 300_000, 7_200_000, 345_600_000].map(formatAge)).toEqual(["0 s", "3 s", "5 min", "2 h", "4 days"]);
});
