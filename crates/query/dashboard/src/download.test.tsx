// @vitest-environment jsdom
import { render } from "preact";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { DownloadButton, fileName } from "./download";
import { SessionContext } from "./session";

const asked = vi.fn<(address: string, init: RequestInit) => Promise<Response>>();
const saved: { name: string; blob: Blob }[] = [];
const blobs: Blob[] = [];
const ended: string[] = [];
const root = document.createElement("div");

const show = (address: string) => {
  const session = { key: "secret", end: (reason: string) => void ended.push(reason) };
  render(<SessionContext.Provider value={session}><DownloadButton address={address} file="a.csv" what="Users" /></SessionContext.Provider>, root);
};
const press = () => root.querySelector("button")?.click();
const alert = () => root.querySelector("[role=alert]")?.textContent;
const isBusy = () => root.querySelector("button")?.getAttribute("aria-disabled") === "true";

beforeEach(() => {
  vi.stubGlobal("fetch", asked);
  URL.createObjectURL = (blob) => `blob:${blobs.push(blob as Blob)}`;
  URL.revokeObjectURL = () => {};
  vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
    saved.push({ name: this.download, blob: blobs[Number(this.href.slice("blob:".length)) - 1]! });
  });
  show("api/x");
});

afterEach(() => {
  render(null, root);
  asked.mockReset();
  saved.length = ended.length = 0;
  vi.restoreAllMocks();
});

it("saves what the API answers with as CSV, and asks once", async () => {
  let answer = (_response: Response) => {};
  asked.mockReturnValue(new Promise((resolve) => (answer = resolve)));
  press();
  await vi.waitFor(() => expect(isBusy()).toBe(true));
  press();
  answer(new Response("date,user_count\r\n"));
  await vi.waitFor(() => expect(saved).toHaveLength(1));
  expect(saved[0]?.name).toBe("a.csv");
  expect(await saved[0]?.blob.text()).toBe("date,user_count\r\n");
  expect(asked).toHaveBeenCalledTimes(1);
  expect(asked.mock.calls[0]).toMatchObject(["api/x", { headers: { Authorization: "Api-Token secret", Accept: "text/csv" } }]);
  await vi.waitFor(() => expect(isBusy()).toBe(false));
});

it("says why there is no file, until something else is asked", async () => {
  asked.mockResolvedValue(new Response('{"detail":"too busy"}', { status: 503 }));
  press();
  await vi.waitFor(() => expect(alert()).toBe("Too busy."));
  show("api/y");
  await vi.waitFor(() => expect(alert()).toBe(""));
  asked.mockRejectedValue(new TypeError("no network"));
  press();
  await vi.waitFor(() => expect(alert()).toBe("The server cannot be reached."));
  expect(saved).toEqual([]);
});

it("ends the session when the key is refused", async () => {
  asked.mockResolvedValue(new Response('{"detail":"no such key"}', { status: 401 }));
  press();
  await vi.waitFor(() => expect(ended).toHaveLength(1));
  expect(alert()).toBe("");
});

it("names a file by the organisation, what it holds and the days", () => {
  expect(fileName("acme", "transcripts", "2026-01-01", "2026-01-31")).toBe("acme-transcripts-2026-01-01-2026-01-31.csv");
});
