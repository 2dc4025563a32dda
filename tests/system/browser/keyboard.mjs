/** A reader who has a keyboard and no mouse. */
import assert from "node:assert/strict";
import { eventually } from "./browser.mjs";

/** More than there is to go through on the way to anything. */
const MAX_STEPS = 60;

export class Keyboard {
  constructor(page) {
    this.page = page;
  }

  type(text) {
    return this.page.keyboard.type(text);
  }

  /** Presses a key, after which the focus is somewhere. */
  async press(key) {
    await this.page.keyboard.press(key);
    await eventually(() => this.focused());
  }

  /** What has the focus, by its name. It must be on the screen and marked. */
  async focused() {
    const { tag, name, isMarked, isSeen } = await this.page.evaluate(() => {
      const element = document.activeElement;
      const { left, top, right, bottom } = element.getBoundingClientRect();
      const style = getComputedStyle(element);
      return {
        tag: element.localName,
        name: element.ariaLabel ?? (element.labels?.[0] ?? element).innerText.trim().split("\n")[0],
        isMarked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0,
        isSeen: right > 0 && bottom > 0 && left < innerWidth && top < innerHeight && style.clipPath === "none",
      };
    });
    // The content as a whole has no mark: it takes the focus from the form that was there before.
    assert.ok(tag !== "body" && isSeen && (isMarked || tag === "main"), `${tag} ${name}: seen ${isSeen}, marked ${isMarked}`);
    return name;
  }

  /** Goes on with a key until something of that name has the focus; what had it on the way. */
  async goTo(name, by = "Tab") {
    const passed = [];
    while (passed.length < MAX_STEPS) {
      await this.page.keyboard.press(by);
      passed.push(await this.focused());
      if (passed.at(-1) === name) return passed;
    }
    return assert.fail(`${name} is not among ${passed}`);
  }
}
