/** The API key, which is asked for once and kept for this tab only: never in the address, nor beyond the session. */
import { createContext } from "preact";
import { useContext } from "preact/hooks";

const STORED_KEY = "rollcall.api-key";

/** Why a session ends that nobody has ended. */
export const KEY_REFUSED = "The API does not accept this key.";

export function storedKey(): string {
  return sessionStorage.getItem(STORED_KEY) ?? "";
}

export function storeKey(key: string): void {
  if (key === "") sessionStorage.removeItem(STORED_KEY);
  else sessionStorage.setItem(STORED_KEY, key);
}

/** Who asks. */
export interface Session {
  key: string;
  /** Drops the key, and says why on the page that asks for another. */
  end(reason: string): void;
}

export const SessionContext = createContext<Session>({ key: "", end: () => {} });

export function useSession(): Session {
  return useContext(SessionContext);
}
