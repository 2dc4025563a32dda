/** The page before any answer: which organisation, and with which key. */
import { useEffect, useRef, useState } from "preact/hooks";

interface SignInProps {
  org: string;
  /** Whether a key is kept already, which an empty field leaves as it is. */
  hasKey: boolean;
  /** Why the key is asked for again. */
  reason: string;
  onBack?(): void;
  onSignOut(): void;
  onSubmit(org: string, key: string): void;
}

export function SignIn({ org, hasKey, reason, onBack, onSignOut, onSubmit }: SignInProps) {
  const [newOrg, setNewOrg] = useState(org);
  const [key, setKey] = useState("");
  const form = useRef<HTMLFormElement>(null);
  // This form is all there is on its page: typing may begin at the first empty field, or at the organisation.
  useEffect(() => form.current?.querySelector<HTMLInputElement>(org === "" || hasKey ? "[name=org]" : "[name=key]")?.focus(), []);
  return (
    <form
      ref={form}
      class="card sign-in"
      autocomplete="off"
      onSubmit={(event) => {
        event.preventDefault();
        if (newOrg.trim() !== "" && (hasKey || key.trim() !== "")) onSubmit(newOrg.trim(), key.trim());
      }}
    >
      <h2>{hasKey ? "Choose an organisation" : "Open an organisation"}</h2>
      {reason !== "" && <p class="form-note" role="alert">{reason}</p>}
      <label>
        Organisation
        <input type="text" name="org" required autocomplete="off" autocapitalize="none" spellcheck={false} value={newOrg}
          placeholder="riverside-college" onInput={(event) => setNewOrg(event.currentTarget.value)} />
      </label>
      <label>
        API key
        <input type="password" name="key" required={!hasKey} autocomplete="off" value={key} aria-describedby="key-hint"
          onInput={(event) => setKey(event.currentTarget.value)} />
      </label>
      <p class="hint" id="key-hint">
        {hasKey ? "Leave it empty to use the key that this tab has." : "It is kept for this tab only, until you close it or sign out."}
      </p>
      <div class="form-actions">
        <button type="submit" class="primary">Open</button>
        {onBack && <button type="button" onClick={onBack}>Back</button>}
        {hasKey && <button type="button" class="last" onClick={onSignOut}>Sign out</button>}
      </div>
    </form>
  );
}
