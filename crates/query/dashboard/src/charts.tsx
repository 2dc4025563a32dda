/** The two charts, each with its numbers as a table. */
import type { ComponentChildren } from "preact";
import { useMemo, useState } from "preact/hooks";
import type { Cohorts, DayCount } from "./api";
import type { Answer } from "./answer";
import { Chart } from "./chart";
import { chartData, isOpen, latestPeriod, type ChartData } from "./chart_data";
import { formatNumber, formatPeriod, type Grain } from "./days";
import { DownloadButton } from "./download";
import { Ready } from "./states";

export function activeUsersData(counts: DayCount[], grain: Grain): ChartData {
  return chartData(counts.map((count) => count.date), grain, [
    { label: "Active users", className: "active", values: counts.map((count) => count.user_count) },
  ]);
}

export function cohortsData({ periods, new_users, veteran_users }: Cohorts, grain: Grain): ChartData {
  return chartData(periods, grain, [
    { label: "New", className: "new", values: new_users },
    { label: "Veteran", className: "veteran", values: veteran_users },
  ]);
}

interface CardProps {
  answer: Answer<unknown>;
  /** Where the answer is from, and the name that it has as a file. */
  address: string;
  file: string;
  data?: ChartData;
  grain: Grain;
  mentor: string;
  theme: string;
}

export function ActiveUsersCard({ grain, mentor, ...rest }: CardProps) {
  return (
    <ChartCard id="active-users" title={`Active users by ${grain}`} {...rest}
      note={mentor === "" ? "Users who sent a message in the period" : "With any mentor: this count has no filter"} />
  );
}

export function CohortsCard({ grain, mentor, ...rest }: CardProps) {
  return (
    <ChartCard id="cohorts" title={`New and veteran users by ${grain}`} {...rest}
      note={mentor === "" ? "New: registered in the period. Veteran: active in it, registered before the range" : `With the mentor ${mentor}`} />
  );
}

interface ChartCardProps extends Omit<CardProps, "grain" | "mentor"> {
  id: string;
  title: string;
  note: string;
}

function ChartCard({ id, title, note, answer, address, file, data, theme }: ChartCardProps) {
  return (
    <section class="card" aria-labelledby={`${id}-title`} tabIndex={-1}>
      <header class="card-header">
        <div>
          <h2 id={`${id}-title`}>{title}</h2>
          <p class="note">{note}</p>
        </div>
        <DownloadButton address={address} file={file} what={title} />
      </header>
      <Ready answer={answer} skeleton={<ChartSkeleton />}>
        {() => data && <Figure data={data} theme={theme} title={title} />}
      </Ready>
    </section>
  );
}

function Figure({ data, theme, title }: { data: ChartData; theme: string; title: string }) {
  const now = Date.now();
  const [pointed, setPointed] = useState<number>();
  const at = pointed !== undefined && pointed < data.starts.length ? pointed : latestPeriod(data, now);
  // The same element, so that pointing at the chart does not go through thousands of rows.
  const numbers = useMemo(() => <Numbers data={data} title={title} />, [data, title]);
  const empty = data.series.every((series) => series.values.every((value) => value === 0));
  return (
    <figure>
      <p class="readout">
        <span class="period">{at < 0 ? "No period has begun yet" : formatPeriod(data.starts[at] ?? NaN, data.grain)}{isOpen(data, at, now) && ", so far"}</span>
        {data.series.map((series) => (
          <span key={series.label} class="legend">
            <span class={`swatch ${series.className}`} />
            {series.label} <b>{at < 0 ? "–" : formatNumber(series.values[at] ?? 0)}</b>
          </span>
        ))}
      </p>
      <div class="plot">
        <Chart data={data} theme={theme} now={now} onPoint={setPointed} />
        {empty && <p class="empty">Nobody in this range</p>}
      </div>
      {numbers}
    </figure>
  );
}

/** The numbers of a chart. Of thousands of hours the rows are made only once somebody opens them. */
function Numbers({ data, title }: { data: ChartData; title: string }) {
  const [open, setOpen] = useState(false);
  return (
    <details onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Numbers as a table</summary>
      {open && (
        <div class="scrolls" role="region" aria-label={`${title}, as a table`} tabIndex={0}>
          <table>
            <caption class="visually-hidden">{title}</caption>
            <thead>
              <tr>
                <th scope="col">Period (UTC)</th>
                {data.series.map((series) => <th key={series.label} scope="col" class="number">{series.label}</th>)}
              </tr>
            </thead>
            <tbody>
              {data.starts.map((start, at) => (
                <tr key={start}>
                  <th scope="row">{formatPeriod(start, data.grain)}</th>
                  {data.series.map((series): ComponentChildren => (
                    <td key={series.label} class="number">{formatNumber(series.values[at] ?? 0)}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </details>
  );
}

function ChartSkeleton() {
  return (
    <>
      <p class="readout"><span class="skeleton" /></p>
      <div class="plot skeleton" />
      <details inert><summary>Numbers as a table</summary></details>
    </>
  );
}
