// @vitest-environment jsdom
import { render } from "preact";
import { expect, it } from "vitest";
import type { Conversation, Message } from "./api";
import { Messages } from "./conversation";
import { ConversationTable } from "./transcripts";

const HOSTILE = `<img src=x onerror="alert(1)"><script>alert(2)</script>&lt;b&gt; ]]> javascript:alert(3)`;

function drawn(page: Parameters<typeof render>[0]): HTMLElement {
  const root = document.createElement("div");
  render(page, root);
  return root;
}

it("what users and mentors write is text on the page", () => {
  const conversation: Conversation = {
    id: HOSTILE, first_message: HOSTILE, topics: [{ name: HOSTILE }], user_id: HOSTILE, message_count: 1, model: HOSTILE,
    inserted_at: HOSTILE, user_sentiment: HOSTILE,
  };
  const message: Message = {
    id: HOSTILE, role: HOSTILE, user_id: HOSTILE, mentor_id: HOSTILE, content: HOSTILE, model: HOSTILE, created_at: HOSTILE,
  };
  for (const root of [
    drawn(<ConversationTable conversations={[conversation]} onOpen={() => {}} />),
    drawn(<Messages messages={[message, { ...message, role: "user" }, { ...message, role: "assistant" }]} />),
  ]) {
    expect(root.querySelector("img, script, b b, a")).toBeNull();
    expect([...root.querySelectorAll("*")].flatMap((e) => e.getAttributeNames()).filter((name) => name.startsWith("on"))).toEqual([]);
    expect(root.textContent).toContain(HOSTILE);
  }
});

it("a conversation that no user has written in can be opened all the same", () => {
  const conversation: Conversation = {
    id: "1", first_message: "", topics: [], user_id: "anonymous", message_count: 0, model: "", inserted_at: "2026-11-23T23:30:00.120Z",
    user_sentiment: "unknown",
  };
  let opened: Conversation | undefined;
  const root = drawn(<ConversationTable conversations={[conversation]} onOpen={(it) => (opened = it)} />);
  root.querySelector("button")?.click();
  expect(opened).toBe(conversation);
  // In UTC, in any time zone.
  expect(root.querySelector("time")?.textContent).toBe("23 Nov 2026 23:30");
});
