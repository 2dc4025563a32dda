/** The dashboard as its readers find their way in it: by names and roles. */
import { setting } from "./stage.mjs";

export class Dashboard {
  constructor(page) {
    this.page = page;
    this.tiles = page.locator(".tile .figure");
    this.list = page.getByRole("region", { name: "Transcripts" });
    this.rows = this.list.locator("tbody tr");
    this.dialog = page.getByRole("dialog");
    this.messages = this.dialog.getByRole("list", { name: "Messages" });
    this.alert = page.getByRole("alert");
    this.from = page.getByLabel("From");
    this.to = page.getByLabel("To", { exact: true });
    this.mentor = page.getByLabel("Mentor");
    this.topics = page.getByLabel("Topics", { exact: true });
    this.org = page.getByLabel("Organisation");
    this.key = page.getByLabel("API key");
  }

  /** Opens the page with parameters in its address. */
  open(params) {
    return this.page.goto(`${setting.url}/?${new URLSearchParams(params)}`);
  }

  /** Waits until all that was asked for is on the page. */
  async complete() {
    await this.page.waitForFunction(
      () => document.querySelector(".filters") && !document.querySelector("main [aria-busy=true], main .skeleton"),
    );
  }

  /** The parameters in its address. */
  params() {
    return Object.fromEntries(new URL(this.page.url()).searchParams);
  }

  button(name) {
    return this.page.getByRole("button", { name, exact: true });
  }

  /** The names of the buttons of a group that are pressed. */
  pressed(group) {
    return this.page.getByRole("group", { name: group }).locator("[aria-pressed=true]").allInnerTexts();
  }

  chart(title) {
    return this.page.getByRole("region", { name: title, exact: true });
  }

  /** The rows of a chart's table: when each period begins, and its numbers. */
  async table(title) {
    const details = this.chart(title).locator("details");
    if ((await details.getAttribute("open")) === null) await details.locator("summary").click();
    await details.locator("tbody tr").first().waitFor();
    const rows = await details.locator("tbody tr").evaluateAll((found) => found.map((row) => [...row.cells].map((cell) => cell.textContent)));
    return rows.map(([period, ...numbers]) => [periodStart(period), ...numbers.map(number)]);
  }

  /** The conversations of the list, in the names of the API. */
  conversations() {
    return this.rows.evaluateAll((rows) =>
      rows.map((row) => {
        const [, , user, topics, messages, sentiment, model] = [...row.cells];
        return {
          inserted_at: row.querySelector("time").dateTime,
          first_message: row.querySelector("button").textContent,
          user_id: user.textContent,
          topics: [...topics.querySelectorAll("li")].map((item) => item.textContent),
          message_count: Number(messages.textContent.replaceAll(",", "")),
          user_sentiment: sentiment.textContent,
          model: model.textContent,
        };
      }),
    );
  }

  /** What the list says of its place: its first and last number, and how many there are. */
  async place() {
    const text = await this.list.getByRole("navigation").locator("p").innerText();
    return text.match(/[\d,]+/g).map(number);
  }

  firstMessage(at) {
    return this.rows.nth(at).getByRole("button");
  }
}

/** A number as it is written for people. */
export function number(text) {
  return Number(text.replaceAll(",", ""));
}

/** When a period begins that is written as "Mon, 5 Oct 2026", "5 Oct 2026, 13:00 UTC", "Week of 5 Oct 2026" or "Oct 2026". */
function periodStart(text) {
  const [, day = "1", month, year, time = "00:00"] = text.match(/(?:(\d+) )?([A-Z][a-z]{2})[a-z]* (\d{4})(?:, (\d\d:\d\d) UTC)?$/);
  return Date.parse(`${day} ${month} ${year} ${time} UTC`);
}
