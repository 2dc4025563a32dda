/** Answers of the API as files. */
import { useState } from "preact/hooks";
import { ApiError, askFile } from "./api";
import { DownloadIcon } from "./icons";
import { KEY_REFUSED, useSession } from "./session";
import { sentence } from "./states";

interface DownloadButtonProps {
  /** Where the answer is from. */
  address: string;
  file: string;
  what: string;
}

/** Saves an answer as the API's own CSV, which holds all of it, also where the page shows a part. */
export function DownloadButton({ address, file, what }: DownloadButtonProps) {
  const session = useSession();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState({ address: "", text: "" });

  const start = async () => {
    if (busy) return;
    setBusy(true);
    setFailure({ address, text: "" });
    try {
      save(file, await askFile(address, session.key));
    } catch (caught) {
      if (caught instanceof ApiError && caught.status === 401) session.end(KEY_REFUSED);
      else setFailure({ address, text: caught instanceof ApiError ? sentence(caught.message) : "The file cannot be saved." });
    } finally {
      setBusy(false);
    }
  };
  const label = busy ? "Downloading" : "Download as CSV";
  return (
    <div class="download">
      {/* What went wrong with another question is of no use for this one. */}
      <p role="alert">{failure.address === address && failure.text}</p>
      <button type="button" class="icon" aria-label={`${label}: ${what}`} title={label} aria-disabled={busy} onClick={() => void start()}>
        <DownloadIcon />
      </button>
    </div>
  );
}

/** Which organisation, what and which days: files of several questions lie side by side. */
export function fileName(org: string, what: string, first: string, last: string): string {
  return `${org}-${what}-${first}-${last}.csv`;
}

function save(name: string, content: Blob): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  // Later, as some browsers read the file after this task.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
