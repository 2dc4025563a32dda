/** What stands where an answer would: none yet, an empty one, or a failure. */
import type { ComponentChildren } from "preact";
import { isPassing, type Answer } from "./answer";
import { formatTime } from "./days";

interface NoticeProps {
  title: string;
  text: string;
  action: string;
  busy?: boolean;
  onAction(): void;
}

/** An error in place of what was asked for. */
export function Notice({ title, text, action, busy = false, onAction }: NoticeProps) {
  return (
    <div class="notice" role="alert">
      <h2>{title}</h2>
      <p>{text}</p>
      <button type="button" onClick={() => !busy && onAction()} aria-disabled={busy}>{busy ? "Asking…" : action}</button>
    </div>
  );
}

interface ReadyProps<T> {
  answer: Answer<T>;
  /** Takes as much room as the answer will, so that nothing moves when it comes. */
  skeleton: ComponentChildren;
  children(value: T): ComponentChildren;
}

/** The answer, or what stands in its place. One that cannot be refreshed stays, and says so. */
export function Ready<T>({ answer, skeleton, children }: ReadyProps<T>) {
  const { value, error, busy, retry } = answer;
  if (value === undefined) {
    if (!error) return <div aria-busy="true"><span class="visually-hidden" role="status">Loading</span>{skeleton}</div>;
    const text = isPassing(error) ? `${sentence(error.message)} The page keeps asking.` : sentence(error.message);
    return <Notice title="No answer" text={text} action="Ask again" busy={busy} onAction={retry} />;
  }
  return (
    <div class={busy ? "answer outdated" : "answer"} aria-busy={busy}>
      {error && (
        <p class="stale" role="status">
          As of {formatTime(answer.at)} UTC: {sentence(error.message)} <button type="button" class="link" onClick={retry}>Ask again</button>
        </p>
      )}
      {children(value)}
    </div>
  );
}

/** The API's own sentence, which has no full stop. */
export function sentence(text: string): string {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}
