/** How fresh the answers are, in the corner of the page. */
import { paths, type Pipeline, type Reply } from "./api";
import { isPassing, useAnswer } from "./answer";
import { useNow } from "./clock";
import { formatAge, formatNumber } from "./days";

/** Ingestion writes its state every few seconds. */
const SILENT_AFTER_MILLIS = 60_000;
/** More records than a busy moment leaves waiting. */
const BEHIND_FROM_LAG = 10_000;

export function PipelineStatus({ org }: { org: string }) {
  const { value, error } = useAnswer(paths.pipeline(org), parsePipeline);
  // The state grows old also where the answer stays the same.
  const now = useNow();
  if (error?.status === 0) return <p class="pipeline bad">Not connected</p>;
  if (error && isPassing(error)) return <p class="pipeline slow"><span>State not known</span></p>;
  // What the server does not say is not shown.
  if (error || !value) return null;

  const { pipeline, clockSkew } = value;
  const { level, summary } = pipelineState(pipeline, now + clockSkew);
  return (
    <p class={`pipeline ${level}`}>
      <span>{summary}</span>
      {pipeline.newest_event_at !== null && (
        <span>newest event {formatAge(now + clockSkew - Date.parse(pipeline.newest_event_at))} ago</span>
      )}
      <span>lag {formatNumber(pipeline.lag)}</span>
      {pipeline.rejected > 0 && <span>{formatNumber(pipeline.rejected)} rejected</span>}
    </p>
  );
}

/** What the numbers mean at `now`. */
export function pipelineState({ as_of, lag }: Pipeline, now: number): { level: "good" | "slow" | "bad"; summary: string } {
  if (as_of === null) return { level: "slow", summary: "No ingestion yet" };
  const silence = now - Date.parse(as_of);
  if (silence > SILENT_AFTER_MILLIS) return { level: "bad", summary: `Ingestion silent for ${formatAge(silence)}` };
  if (lag >= BEHIND_FROM_LAG) return { level: "slow", summary: "Catching up" };
  return { level: "good", summary: "Live" };
}

/** With how far the server's clock is ahead of this one, by which the age of an event would be wrong. */
function parsePipeline({ body, servedAt }: Reply): { pipeline: Pipeline; clockSkew: number } {
  return { pipeline: JSON.parse(body) as Pipeline, clockSkew: servedAt - Date.now() };
}
