/** Answers that stay up to date while the page is looked at. */
import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, ask, type Reply } from "./api";
import { KEY_REFUSED, useSession } from "./session";

const REFRESH_MILLIS = 10_000;
/** For what changes seldom. */
export const SELDOM_MILLIS = 60_000;
const MAX_BACKOFF_MILLIS = 60_000;

export interface Answer<T> {
  /** The latest good answer. While `busy` it may be that of the question before, so that the page need not go blank. */
  value?: T;
  /** Why there is no newer one. */
  error?: ApiError;
  /** The question has changed, or was asked again by hand, and is not answered yet. */
  busy: boolean;
  /** Where there is an error: when `value` was last known to be right. */
  at: number;
  retry(): void;
}

interface State<T> {
  address: string;
  value?: T;
  error?: ApiError;
  at: number;
}

/**
 * Asks `address` now and again after each `refreshMillis` while the tab is visible; after failures less often, and not
 * before `Retry-After`.
 */
export function useAnswer<T>(address: string, parse: (reply: Reply) => T, refreshMillis = REFRESH_MILLIS): Answer<T> {
  const session = useSession();
  const [state, setState] = useState<State<T>>({ address: "", at: 0 });
  const [retrying, setRetrying] = useState(false);
  const retry = useRef(() => {});

  useEffect(() => {
    const abort = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    let due = 0;
    let asking = false;
    let failures = 0;
    let shown: Reply | undefined;
    let answeredAt = 0;

    const wait = (millis: number) => {
      clearTimeout(timer);
      due = Date.now() + millis;
      timer = setTimeout(() => void askIfVisible(), millis);
    };
    const askNow = async () => {
      asking = true;
      try {
        const reply = await ask(address, session.key, abort.signal);
        // An unchanged answer is not parsed and drawn again, unless it ends an error.
        const unchanged = failures === 0 && shown?.body === reply.body && Object.is(shown.total, reply.total);
        answeredAt = Date.now();
        if (!unchanged) setState({ address, value: parse(reply), at: answeredAt });
        shown = reply;
        failures = 0;
        wait(refreshMillis);
      } catch (caught) {
        if (abort.signal.aborted) return;
        const error = caught instanceof ApiError ? caught : new ApiError(0, "The answer cannot be read.");
        if (error.status === 401) {
          session.end(KEY_REFUSED);
          return;
        }
        failures += 1;
        setState((before) => ({
          address,
          value: before.address === address ? before.value : undefined,
          at: answeredAt,
          error,
        }));
        wait(backoffMillis(error, failures));
      } finally {
        asking = false;
        if (!abort.signal.aborted) setRetrying(false);
      }
    };
    const askIfVisible = () => {
      if (!document.hidden && !asking && Date.now() >= due) return askNow();
    };

    retry.current = () => {
      if (asking) return;
      setRetrying(true);
      void askNow();
    };
    document.addEventListener("visibilitychange", askIfVisible);
    void askNow();
    return () => {
      abort.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", askIfVisible);
    };
  }, [address, session.key]);

  return {
    value: state.value,
    error: state.address === address ? state.error : undefined,
    busy: state.address !== address || retrying,
    at: state.at,
    retry: () => retry.current(),
  };
}

/** Whether the same question may soon be answered. What the API refuses, or does not have, seldom changes. */
export function isPassing(error: ApiError): boolean {
  return error.status === 0 || error.status === 429 || error.status >= 500;
}

/** How long to wait after `failures` in a row. */
export function backoffMillis(error: ApiError, failures: number): number {
  const backoff = isPassing(error) ? Math.min(1000 * 2 ** failures, MAX_BACKOFF_MILLIS) : MAX_BACKOFF_MILLIS;
  return Math.max(backoff, error.retryAfterMillis);
}
