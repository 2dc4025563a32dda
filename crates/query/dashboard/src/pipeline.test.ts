import { expect, it } from "vitest";
import { pipelineState } from "./pipeline";

const NOW = Date.UTC(2026, 10, 23, 9, 30);
const state = (as_of: string | null, lag: number) =>
  pipelineState({ newest_event_at: null, lag, rejected: 0, as_of }, NOW);

it("the state of ingestion is said in a word, and by its age once it no longer writes it", () => {
  expect(state("2026-11-23T09:29:58.120Z", 12)).toEqual({ level: "good", summary: "Live" });
  expect(state("2026-11-23T09:29:58.120Z", 25_000)).toEqual({ level: "slow", summary: "Catching up" });
  expect(state("2026-11-23T09:25:00Z", 0)).toEqual({ level: "bad", summary: "Ingestion silent for 5 min" });
  expect(state(null, 0)).toEqual({ level: "slow", summary: "No ingestion yet" });
});
