/** The conversations of the range, page by page. */
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { PAGE_SIZE, paths, type Conversation, type ConversationPage, type Reply, type Topic } from "./api";
import { useAnswer } from "./answer";
import { ConversationPanel } from "./conversation";
import { formatDay, formatHour, formatNumber } from "./days";
import { DownloadButton, fileName } from "./download";
import { Ready } from "./states";
import type { View } from "./view";

interface TranscriptsProps {
  view: View;
  first: string;
  last: string;
  /** How many conversations there are, or `undefined` while that is not known. */
  onTotal(total: number | undefined): void;
}

export function Transcripts({ view, first, last, onTotal }: TranscriptsProps) {
  const question = JSON.stringify([first, last, view.mentor, view.topics]);
  const [place, setPlace] = useState({ question, page: 1 });
  // Another question begins at its first page.
  const page = place.question === question ? place.page : 1;
  const [opened, setOpened] = useState<Conversation>();
  const answer = useAnswer(paths.conversations(view, first, last, page), parsePage);
  const total = answer.value?.total;
  useEffect(() => onTotal(total), [total]);

  return (
    <section class="card" aria-labelledby="transcripts-title" tabIndex={-1}>
      <header class="card-header">
        <div>
          <h2 id="transcripts-title">Transcripts</h2>
          <p class="note">Conversations that began in this range, newest first</p>
        </div>
        <DownloadButton address={paths.conversations(view, first, last)} file={fileName(view.org, "transcripts", first, last)}
          what="All transcripts" />
      </header>
      <Ready answer={answer} skeleton={<TableSkeleton />}>
        {(value) =>
          value.conversations.length === 0 && page === 1 ? (
            <p class="empty-list">
              No conversations{view.mentor !== "" || view.topics !== "" ? " that these filters let through" : " in this range"}.
              New ones appear here by themselves.
            </p>
          ) : (
            <>
              <ConversationTable conversations={value.conversations} onOpen={setOpened} />
              <Pager page={page} total={value.total} busy={answer.busy} onPage={(to) => setPlace({ question, page: to })} />
            </>
          )
        }
      </Ready>
      {opened && <ConversationPanel key={opened.id} org={view.org} conversation={opened} onClose={() => setOpened(undefined)} />}
    </section>
  );
}

export function ConversationTable({ conversations, onOpen }: { conversations: Conversation[]; onOpen(conversation: Conversation): void }) {
  return (
    <table class="transcripts" aria-labelledby="transcripts-title">
      <thead>
        <tr>
          <th scope="col">Began (UTC)</th>
          <th scope="col">First message</th>
          <th scope="col" class="wide">User</th>
          <th scope="col" class="wide">Topics</th>
          <th scope="col" class="wide number">Messages</th>
          <th scope="col" class="wide">Sentiment</th>
          <th scope="col" class="wide">Model</th>
        </tr>
      </thead>
      <tbody>
        {conversations.map((conversation) => (
          <tr key={conversation.id}>
            <td class="time"><Began instant={conversation.inserted_at} /></td>
            <td class="message">
              <button type="button" class="link" onClick={() => onOpen(conversation)} aria-haspopup="dialog">
                {conversation.first_message || <i>No message from a user</i>}
              </button>
              <span class="narrow note">
                {conversation.user_id}, {formatNumber(conversation.message_count)} messages
                {conversation.topics.length > 0 && `, ${conversation.topics.map((topic) => topic.name).join(", ")}`}
              </span>
            </td>
            <td class="wide">{conversation.user_id}</td>
            <td class="wide"><Topics topics={conversation.topics} /></td>
            <td class="wide number">{formatNumber(conversation.message_count)}</td>
            <td class="wide"><Sentiment name={conversation.user_sentiment} /></td>
            <td class="wide">{conversation.model || "–"}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Began({ instant }: { instant: string }) {
  const millis = Date.parse(instant);
  return <time dateTime={instant}>{formatDay(millis)} <span class="hour">{formatHour(millis)}</span></time>;
}

export function Topics({ topics }: { topics: Topic[] }) {
  if (topics.length === 0) return <>–</>;
  return <ul class="topics">{topics.map(({ name }) => <li key={name}>{name}</li>)}</ul>;
}

function Sentiment({ name }: { name: string }) {
  const known = ["positive", "neutral", "negative"].includes(name);
  return known ? <span class={`sentiment ${name}`}>{name}</span> : <>{name === "unknown" ? "–" : name}</>;
}

interface PagerProps {
  page: number;
  total: number;
  /** Whether the list is still that of the page before. */
  busy: boolean;
  onPage(page: number): void;
}

function Pager({ page, total, busy, onPage }: PagerProps) {
  const nav = useRef<HTMLElement>(null);
  // A list may be longer than the one before, and would push the button that has just been pressed off the screen.
  useLayoutEffect(() => {
    const focused = document.activeElement;
    if (nav.current?.contains(focused)) focused?.scrollIntoView({ block: "nearest" });
  }, [page, busy]);
  const pages = Math.max(1, Math.ceil(total / PAGE_SIZE));
  const first = (page - 1) * PAGE_SIZE + 1;
  const to = (label: string, target: number, possible: boolean) => (
    // Not `disabled`, which would take the focus away from a button that has just been pressed.
    <button type="button" aria-disabled={!possible} onClick={() => possible && onPage(target)}>{label}</button>
  );
  return (
    <nav ref={nav} class="pager" aria-label="Pages of transcripts">
      <p>
        {formatNumber(Math.min(first, total))}–{formatNumber(Math.min(page * PAGE_SIZE, total))} of {formatNumber(total)}
      </p>
      {to("First", 1, page > 1)}
      {to("Previous", Math.min(page - 1, pages), page > 1)}
      {to("Next", page + 1, page < pages)}
      {to("Last", pages, page < pages)}
    </nav>
  );
}

function TableSkeleton() {
  return <div class="table-skeleton">{Array.from({ length: 12 }, (_, at) => <span key={at} class="skeleton" />)}</div>;
}

function parsePage({ body, total }: Reply): ConversationPage {
  const conversations = JSON.parse(body) as Conversation[];
  return { conversations, total: Number.isNaN(total) ? conversations.length : total };
}
