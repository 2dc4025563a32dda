/** Numbers on their way into a chart and its table. */
import { nextPeriodMillis, periodMillis, type Grain } from "./days";

export interface Series {
  label: string;
  /** The class of the series in `style.css`, which gives its colour. */
  className: string;
  values: number[];
}

/** One value of each series for every period. */
export interface ChartData {
  grain: Grain;
  /** When each period begins, in milliseconds since 1970. */
  starts: number[];
  series: Series[];
}

export function chartData(periods: string[], grain: Grain, series: Series[]): ChartData {
  return { grain, starts: periods.map(periodMillis), series };
}

/**
 * Sums the series from the last to the first, so that the first is the whole stack. Drawn in this order, each covers the
 * lower part of the one before, and what remains visible is its own value.
 */
export function stack(series: Series[]): number[][] {
  const sums: number[][] = [];
  for (const { values } of series.toReversed()) {
    const below = sums[0];
    sums.unshift(values.map((value, at) => value + (below?.[at] ?? 0)));
  }
  return sums;
}

/** What is drawn: nothing where a period has not begun by `now`, as a zero would look like a loss of users. */
export function untilNow(values: number[], starts: number[], now: number): (number | null)[] {
  return values.map((value, at) => ((starts[at] ?? 0) > now ? null : value));
}

/** The index of the latest period that has begun by `now`, or -1. */
export function latestPeriod({ starts }: ChartData, now: number): number {
  return starts.findLastIndex((start) => start <= now);
}

/** Whether the period is still going on at `now`. */
export function isOpen({ starts, grain }: ChartData, at: number, now: number): boolean {
  const start = starts[at] ?? NaN;
  return start <= now && now < nextPeriodMillis(start, grain);
}

/** How many periods lie between two labels of the time axis, if `most` labels have room. */
export function tickStep(periods: number, most: number, grain: Grain): number {
  // Of hours, steps that meet midnight; of days, whole weeks.
  const steps = { hour: [1, 2, 3, 6, 12, 24], day: [1, 2, 7], week: [1, 2, 4], month: [1, 3, 6, 12] }[grain];
  const wanted = Math.max(1, periods / Math.max(1, most));
  const largest = steps.at(-1) ?? 1;
  return steps.find((step) => step >= wanted) ?? Math.ceil(wanted / largest) * largest;
}
