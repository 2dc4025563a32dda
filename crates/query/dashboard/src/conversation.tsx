/** One conversation with its messages, in a dialog at the side. */
import { useEffect, useRef } from "preact/hooks";
import { paths, type Conversation, type Message, type Reply } from "./api";
import { useAnswer } from "./answer";
import { formatDay, formatNumber, formatTime } from "./days";
import { CloseIcon } from "./icons";
import { Ready } from "./states";
import { Topics } from "./transcripts";

interface ConversationPanelProps {
  org: string;
  conversation: Conversation;
  onClose(): void;
}

export function ConversationPanel({ org, conversation, onClose }: ConversationPanelProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const messages = useAnswer(paths.messages(org, conversation.id), parseMessages);
  // A modal dialog keeps the focus inside, closes on Escape and gives the focus back: the browser's own work.
  useEffect(() => dialog.current?.showModal(), []);
  const began = Date.parse(conversation.inserted_at);

  return (
    <dialog ref={dialog} class="panel" aria-labelledby="conversation-title" onClose={onClose}
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}>
      <div class="panel-content">
        <header class="card-header">
          <h2 id="conversation-title">Conversation</h2>
          <button type="button" class="icon" aria-label="Close" title="Close" onClick={() => dialog.current?.close()}><CloseIcon /></button>
        </header>
        <dl class="facts">
          <dt>Began</dt><dd>{formatDay(began)}, {formatTime(began)} UTC</dd>
          <dt>User</dt><dd>{conversation.user_id}</dd>
          <dt>Topics</dt><dd><Topics topics={conversation.topics} /></dd>
          <dt>Sentiment</dt><dd>{conversation.user_sentiment}</dd>
          <dt>Model</dt><dd>{conversation.model || "–"}</dd>
          <dt>Id</dt><dd class="id">{conversation.id}</dd>
        </dl>
        {messages.error?.status === 404 && !messages.value ? (
          <>
            <ol class="messages">
              {conversation.first_message !== "" && <li class="user"><p class="content">{conversation.first_message}</p></li>}
            </ol>
            <p class="note">This server lists no messages: of {formatNumber(conversation.message_count)} only the first is known.</p>
          </>
        ) : (
          <Ready answer={messages} skeleton={<MessageSkeleton count={conversation.message_count} />}>
            {(list) => <Messages messages={list} />}
          </Ready>
        )}
      </div>
    </dialog>
  );
}

export function Messages({ messages }: { messages: Message[] }) {
  return (
    <ol class="messages" aria-label="Messages">
      {messages.map((message) => {
        const created = Date.parse(message.created_at);
        return (
          <li key={message.id} class={ROLES.has(message.role) ? message.role : undefined}>
            <p class="note">
              <b>{author(message)}</b> <time dateTime={message.created_at} title={`${formatDay(created)} UTC`}>{formatTime(created)}</time>
              {message.model !== "" && <> {message.model}</>}
            </p>
            <p class="content">{message.content}</p>
          </li>
        );
      })}
    </ol>
  );
}

const ROLES = new Set(["user", "assistant", "system", "tool"]);

function author({ role, user_id, mentor_id }: Message): string {
  if (role === "user") return user_id || "anonymous";
  if (role === "assistant") return mentor_id || "assistant";
  return role;
}

function MessageSkeleton({ count }: { count: number }) {
  return <div class="table-skeleton">{Array.from({ length: Math.min(count, 8) }, (_, at) => <span key={at} class="skeleton" />)}</div>;
}

function parseMessages({ body }: Reply): Message[] {
  return JSON.parse(body) as Message[];
}
