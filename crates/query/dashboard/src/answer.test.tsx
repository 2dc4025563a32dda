// @vitest-environment jsdom
import { render } from "preact";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { ApiError, type Reply } from "./api";
import { backoffMillis, useAnswer, type Answer } from "./answer";
import { SessionContext } from "./session";

let answers: (() => Response)[];
let seen: Answer<string>[];
let ended: string[];
const asked = vi.fn((_address: string, _init: RequestInit) => {
  const answer = answers.length > 1 ? answers.shift() : answers[0];
  return answer ? Promise.resolve(answer()) : Promise.reject(new TypeError("no network"));
});
const bodyOf = (reply: Reply) => reply.body;

function Probe({ address }: { address: string }) {
  seen.push(useAnswer(address, bodyOf));
  return null;
}

const root = document.createElement("div");

function show(address: string) {
  const session = { key: "secret", end: (reason: string) => void ended.push(reason) };
  render(<SessionContext.Provider value={session}><Probe address={address} /></SessionContext.Provider>, root);
}

const latest = () => seen.at(-1);

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("fetch", asked);
  seen = [];
  ended = [];
});

afterEach(() => {
  render(null, root);
  asked.mockClear();
  vi.useRealTimers();
});

it("asks with the key in a header, and again every ten seconds, and draws only what is new", async () => {
  answers = [() => new Response("one"), () => new Response("one"), () => new Response("two")];
  show("api/x");
  await vi.advanceTimersByTimeAsync(100);
  expect(latest()).toMatchObject({ value: "one", busy: false });
  expect(asked.mock.calls[0]?.[1]).toMatchObject({ cache: "no-cache", headers: { Authorization: "Api-Token secret" } });
  const drawings = seen.length;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(asked).toHaveBeenCalledTimes(2);
  expect(seen.length).toBe(drawings);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(latest()?.value).toBe("two");
});

it("keeps the last answer over a failure, and waits as long as it is told to", async () => {
  const busy = () => new Response('{"detail":"too busy"}', { status: 503, headers: { "Retry-After": "40" } });
  answers = [() => new Response("one"), busy, () => new Response("one")];
  show("api/x");
  await vi.advanceTimersByTimeAsync(10_100);
  expect(latest()).toMatchObject({ value: "one", error: { status: 503, message: "too busy" } });
  await vi.advanceTimersByTimeAsync(39_000);
  expect(asked).toHaveBeenCalledTimes(2);
  await vi.advanceTimersByTimeAsync(2_000);
  expect(latest()).toMatchObject({ value: "one", error: undefined });
});

it("keeps what was shown until another question is answered", async () => {
  answers = [() => new Response("one"), () => new Response("two")];
  show("api/x");
  await vi.advanceTimersByTimeAsync(100);
  show("api/y");
  expect(latest()).toMatchObject({ value: "one", busy: true });
  await vi.advanceTimersByTimeAsync(100);
  expect(latest()).toMatchObject({ value: "two", busy: false });
});

it("asks nothing while the tab is hidden, and at once when it is seen again", async () => {
  answers = [() => new Response("one")];
  show("api/x");
  await vi.advanceTimersByTimeAsync(100);
  const hidden = vi.spyOn(document, "hidden", "get").mockReturnValue(true);
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toHaveBeenCalledTimes(1);
  hidden.mockRestore();
  document.dispatchEvent(new Event("visibilitychange"));
  expect(asked).toHaveBeenCalledTimes(2);
});

it("ends the session when the key is refused", async () => {
  answers = [() => new Response('{"detail":"no such key"}', { status: 401 })];
  show("api/x");
  await vi.advanceTimersByTimeAsync(120_000);
  expect(ended).toHaveLength(1);
  expect(asked).toHaveBeenCalledTimes(1);
});

it("backs off to a minute, and asks seldom for what is not there", () => {
  expect([1, 2, 5, 20].map((failures) => backoffMillis(new ApiError(503, ""), failures))).toEqual([2_000, 4_000, 32_000, 60_000]);
  expect(backoffMillis(new ApiError(429, "", 90_000), 1)).toBe(90_000);
  expect(backoffMillis(new ApiError(404, ""), 1)).toBe(60_000);
});
