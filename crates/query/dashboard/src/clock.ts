/** The time, for what changes with it alone. */
import { useEffect, useState } from "preact/hooks";

const TICK_MILLIS = 5_000;

/** The time in milliseconds since 1970. Whoever asks is drawn again as it goes on, also over midnight. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MILLIS);
    return () => clearInterval(timer);
  }, []);
  return now;
}
