/** The figures of the range at a glance. */
import { isOpen, latestPeriod, type ChartData } from "./chart_data";
import { formatNumber, formatPeriod, type Grain } from "./days";

interface TilesProps {
  grain: Grain;
  /** Active users of each period. */
  activity?: ChartData;
  /** New users of each period. */
  newUsers?: number[];
  conversations?: number;
  /** Whether what is unknown stays so for longer than an answer takes. */
  failed: boolean;
}

export function Tiles({ grain, activity, newUsers, conversations, failed }: TilesProps) {
  const now = Date.now();
  const counts = activity?.series[0]?.values;
  const latest = activity ? latestPeriod(activity, now) : -1;
  const busiest = counts ? counts.indexOf(Math.max(...counts)) : -1;
  const period = (at: number) => {
    const start = activity?.starts[at];
    return activity && start !== undefined ? formatPeriod(start, activity.grain) : "";
  };
  const soFar = activity && isOpen(activity, latest, now) ? ", so far" : "";

  return (
    <dl class="tiles">
      <Tile name={`Active users, latest ${grain}`} value={counts && (counts[latest] ?? 0)} note={period(latest) + soFar} failed={failed} />
      <Tile name={`Active users, busiest ${grain}`} value={counts && (counts[busiest] ?? 0)} note={period(busiest)} failed={failed} />
      {/* Everybody registers once, so that periods may be added up; of active users, who come again, they may not. */}
      <Tile name="New users" value={newUsers?.reduce((sum, count) => sum + count, 0)} note="registered in this range" failed={failed} />
      <Tile name="Conversations" value={conversations} note="begun in this range" failed={failed} />
    </dl>
  );
}

interface TileProps {
  name: string;
  value?: number;
  note: string;
  failed: boolean;
}

function Tile({ name, value, note, failed }: TileProps) {
  const unknown = failed ? "–" : <span class="skeleton" aria-label="not known yet" role="img" />;
  return (
    <div class="tile">
      <dt>{name}</dt>
      <dd class="figure">{value === undefined ? unknown : formatNumber(value)}</dd>
      <dd class="note">{note || "\u00a0"}</dd>
    </div>
  );
}
