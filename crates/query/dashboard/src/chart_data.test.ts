import { expect, it } from "vitest";
import { chartData, isOpen, latestPeriod, stack, tickStep, untilNow } from "./chart_data";

const series = (className: string, values: number[]) => ({ label: className, className, values });

it("a stack is drawn from its whole down to its last series", () => {
  expect(stack([series("new", [1, 0, 5]), series("veteran", [10, 0, 2])])).toEqual([[11, 0, 7], [10, 0, 2]]);
  expect(stack([series("a", [1]), series("b", [2]), series("c", [4])])).toEqual([[7], [6], [4]]);
  expect(stack([series("active", [3, 4])])).toEqual([[3, 4]]);
  expect(stack([])).toEqual([]);
});

it("periods that have not begun are not drawn", () => {
  const data = chartData(["2026-11-24T08:00:00Z", "2026-11-24T09:00:00Z", "2026-11-24T10:00:00Z"], "hour", []);
  const now = Date.UTC(2026, 10, 24, 9, 30);
  expect(untilNow([4, 2, 0], data.starts, now)).toEqual([4, 2, null]);
  expect(latestPeriod(data, now)).toBe(1);
  expect([0, 1, 2].map((at) => isOpen(data, at, now))).toEqual([false, true, false]);
  expect(latestPeriod(data, Date.UTC(2026, 10, 1))).toBe(-1);
});

it("labels of hours meet midnight, and those of days whole weeks", () => {
  expect(tickStep(24, 8, "hour")).toBe(3);
  expect(tickStep(2160, 8, "hour") % 24).toBe(0);
  expect(tickStep(30, 8, "day")).toBe(7);
  expect(tickStep(90, 8, "day")).toBe(14);
  expect(tickStep(1, 0, "week")).toBe(1);
});
