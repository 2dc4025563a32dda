/** Tables as files. */

/** RFC 4180. What a spreadsheet would take for a formula gets an apostrophe before it. */
export function csv(rows: (string | number)[][]): string {
  return rows.map((row) => row.map(cell).join(",") + "\r\n").join("");
}

function cell(value: string | number): string {
  // A number is never a formula, though it may begin with a minus.
  if (typeof value === "number") return String(value);
  const text = /^[\s]*[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Has the browser save `text` as a file. */
export function download(name: string, text: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  link.download = name;
  link.click();
  // Later, as some browsers read the file after this task.
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
