/** What the page is asked to show. */
import { useEffect, useRef, useState } from "preact/hooks";
import type { MentorCount, TopicCount } from "./api";
import { addDays, dayMillis, daysInRange, formatNumber, GRAINS } from "./days";
import { quoteTopic, splitTopics, viewRange, type View } from "./view";

const PRESETS = [7, 30, 90];
/** How long typing must pause before it takes effect. */
const TYPING_PAUSE_MILLIS = 600;
const GRAIN_LABELS = { hour: "Hour", day: "Day", week: "Week", month: "Month" };

interface FiltersProps {
  view: View;
  today: string;
  /** Suggestions, empty where the server has none. */
  mentors: MentorCount[];
  topics: TopicCount[];
  navigate(view: View): void;
}

export function Filters({ view, today, mentors, topics, navigate }: FiltersProps) {
  const { first, last } = viewRange(view, today);
  const change = (part: Partial<View>) => navigate({ ...view, ...part });
  const start = useDraft(first, (startDate) => change({ startDate, endDate: last < startDate ? startDate : last }), isDay);
  const end = useDraft(last, (endDate) => change({ startDate: first > endDate ? endDate : first, endDate }), isDay);
  const mentor = useDraft(view.mentor, (text) => change({ mentor: text.trim() }));
  const topic = useDraft(view.topics, (text) => change({ topics: text.trim() }));
  const flush = () => [start, end, mentor, topic].forEach((draft) => draft.flush());

  return (
    <form class="filters" aria-label="Filters" autocomplete="off" tabIndex={-1} onSubmit={(event) => {
      event.preventDefault();
      flush();
    }}>
      <div class="segments" role="group" aria-label="Range">
        {PRESETS.map((days) => (
          <button key={days} type="button" aria-pressed={last === today && daysInRange(first, last) === days}
            onClick={() => change({ startDate: addDays(today, 1 - days), endDate: today })}>
            {days} days
          </button>
        ))}
      </div>
      <label>
        From
        <input type="date" required {...start.input} />
      </label>
      <label>
        To
        <input type="date" required {...end.input} />
      </label>
      <div class="segments" role="group" aria-label="Group by">
        {GRAINS.map((grain) => (
          <button key={grain} type="button" aria-pressed={view.groupBy === grain} onClick={() => change({ groupBy: grain })}>
            {GRAIN_LABELS[grain]}
          </button>
        ))}
      </div>
      <label class="grows">
        Mentor
        <input type="text" list="mentors" placeholder="All mentors" spellcheck={false} autocapitalize="none" {...mentor.input} />
      </label>
      <label class="grows">
        Topics
        <input type="text" list="topics" placeholder="All topics" spellcheck={false} autocapitalize="none"
          title="Any of several, with commas between them" {...topic.input} />
      </label>
      {(view.mentor !== "" || view.topics !== "") && (
        <button type="button" class="link" onClick={() => change({ mentor: "", topics: "" })}>Clear</button>
      )}
      <datalist id="mentors">
        {mentors.map(({ mentor_id, conversation_count }) => (
          <option key={mentor_id} value={mentor_id}>{countOf(conversation_count)}</option>
        ))}
      </datalist>
      <datalist id="topics">
        {topicOptions(topic.input.value, topics).map(({ value, count }) => <option key={value} value={value}>{countOf(count)}</option>)}
      </datalist>
      <button type="submit" class="visually-hidden" tabIndex={-1}>Apply</button>
    </form>
  );
}

/** Each suggestion completes the last of the names that are typed, and keeps those before it. */
function topicOptions(typed: string, topics: TopicCount[]): { value: string; count: number }[] {
  const names = splitTopics(typed);
  const before = names.slice(0, typed.trimEnd().endsWith(",") ? names.length : -1);
  return topics.map(({ name, conversation_count }) => ({
    value: [...before, quoteTopic(name)].join(", "),
    count: conversation_count,
  }));
}

function countOf(conversations: number): string {
  return `${formatNumber(conversations)} ${conversations === 1 ? "conversation" : "conversations"}`;
}

/** A browser gives a year that is being typed as 0002: a day of it is not what is meant yet. */
function isDay(text: string): boolean {
  return (dayMillis(text) ?? -1) >= 0;
}

/** The text of an input, which takes effect when typing pauses, on Enter, or when the input is left. */
function useDraft(value: string, commit: (text: string) => void, isValid = (_text: string) => true) {
  const [draft, setDraft] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined);
  const latest = useRef({ draft, value, commit });
  latest.current = { draft, value, commit };

  useEffect(() => {
    setDraft(value);
    return () => clearTimeout(timer.current);
  }, [value]);

  const flush = () => {
    clearTimeout(timer.current);
    const { draft, value, commit } = latest.current;
    if (draft.trim() !== value && isValid(draft)) commit(draft);
  };
  const input = {
    value: draft,
    onInput: (event: { currentTarget: HTMLInputElement }) => {
      setDraft(event.currentTarget.value);
      clearTimeout(timer.current);
      timer.current = setTimeout(flush, TYPING_PAUSE_MILLIS);
    },
    onBlur: () => {
      flush();
      // What is no value, such as half a date, is not left to stand there as if it were one.
      if (!isValid(draft)) setDraft(value);
    },
  };
  return { input, flush };
}
