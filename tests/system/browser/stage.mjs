/** The test in Rust that has started this script: it says where Rollcall is, and does to it what it is asked for. */
import { after } from "node:test";
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
after(() => process.stdin.destroy());

async function nextLine() {
  const { value, done } = await lines.next();
  if (done) throw new Error("the test has ended");
  return JSON.parse(value);
}

/** `url` and `key` of Rollcall, and `org` to ask about. */
export const setting = await nextLine();

/** Has an action done, and waits until it is: what the test returns. */
export async function act(action) {
  process.stdout.write(`${JSON.stringify(action)}\n`);
  return nextLine();
}
