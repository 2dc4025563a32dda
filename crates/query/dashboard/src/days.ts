/**
 * UTC days and periods.
 *
 * A day is the API's own string, `YYYY-MM-DD`, and is never turned into a local date: `new Date("2026-01-05")` is the
 * instant at which that day begins in Greenwich, and west of it local getters give the day before. All arithmetic is on
 * milliseconds from `Date.UTC`, and every formatter is set to UTC.
 */

/** A UTC day, `YYYY-MM-DD`. */
export type Day = string;

export const GRAINS = ["hour", "day", "week", "month"] as const;

/** The length of a period. */
export type Grain = (typeof GRAINS)[number];

const DAY_MILLIS = 86_400_000;

// One locale for the whole page, whose words are English; "24 Nov" cannot be read as a day in another order.
const LOCALE = "en-GB";

/** When `day` begins, in milliseconds since 1970, or `undefined` if there is no such day. */
export function dayMillis(day: string): number | undefined {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(day);
  if (!parts) return undefined;
  const millis = Date.UTC(Number(parts[1]), Number(parts[2]) - 1, Number(parts[3]));
  // `Date.UTC` takes 31 February for 3 March: only what comes back as it went in is a day.
  return dayOf(millis) === day ? millis : undefined;
}

/** The UTC day that holds the instant `millis`. */
export function dayOf(millis: number): Day {
  return new Date(millis).toISOString().slice(0, 10);
}

export function addDays(day: Day, days: number): Day {
  return dayOf((dayMillis(day) ?? NaN) + days * DAY_MILLIS);
}

/** Both ends included: a range of one day has 1. */
export function daysInRange(first: Day, last: Day): number {
  return ((dayMillis(last) ?? NaN) - (dayMillis(first) ?? NaN)) / DAY_MILLIS + 1;
}

/** When a period begins, in milliseconds since 1970; the API names it by a day or by an instant. */
export function periodMillis(period: string): number {
  return dayMillis(period) ?? Date.parse(period);
}

/** When the period after the one that begins at `millis` begins. */
export function nextPeriodMillis(millis: number, grain: Grain): number {
  switch (grain) {
    case "hour":
      return millis + 3_600_000;
    case "day":
      return millis + DAY_MILLIS;
    case "week":
      return millis + 7 * DAY_MILLIS;
    case "month": {
      const first = new Date(millis);
      return Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 1);
    }
  }
}

function formatter(options: Intl.DateTimeFormatOptions): (millis: number) => string {
  const format = new Intl.DateTimeFormat(LOCALE, { timeZone: "UTC", ...options });
  return (millis) => (Number.isNaN(millis) ? "unknown" : format.format(millis));
}

export const formatDay = formatter({ day: "numeric", month: "short", year: "numeric" });
export const formatDayShort = formatter({ day: "numeric", month: "short" });
export const formatMonth = formatter({ month: "short", year: "numeric" });
export const formatHour = formatter({ hour: "2-digit", minute: "2-digit" });
export const formatTime = formatter({ hour: "2-digit", minute: "2-digit", second: "2-digit" });
const formatWeekday = formatter({ weekday: "short", day: "numeric", month: "short", year: "numeric" });

/** A period in full, for a table or a tooltip. */
export function formatPeriod(millis: number, grain: Grain): string {
  switch (grain) {
    case "hour":
      return `${formatDay(millis)}, ${formatHour(millis)} UTC`;
    case "day":
      return formatWeekday(millis);
    case "week":
      return `Week of ${formatDay(millis)}`;
    case "month":
      return formatMonth(millis);
  }
}

/** A period as a label of the time axis, of at most two lines. */
export function formatTick(millis: number, grain: Grain): string {
  if (grain === "month") return formatMonth(millis);
  if (grain === "hour" && millis % DAY_MILLIS !== 0) return formatHour(millis);
  return formatDayShort(millis);
}

/** How long ago something was: "3 s", "5 min", "2 h", "4 days". */
export function formatAge(millis: number): string {
  const seconds = Math.max(0, Math.round(millis / 1000));
  if (seconds < 90) return `${seconds} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  if (seconds < 36 * 3600) return `${Math.round(seconds / 3600)} h`;
  return `${formatNumber(Math.round(seconds / 86_400))} days`;
}

const numbers = new Intl.NumberFormat(LOCALE);

export function formatNumber(value: number): string {
  return numbers.format(value);
}
