/** The keyboard's place on the page. */

/**
 * Where the element that has the focus goes away (the button of an error that has passed, a conversation that is on the next
 * page now), the nearest part of the page around it takes the focus: an element with `tabIndex={-1}`.
 */
export function keepFocus(root: HTMLElement): void {
  let focused: Element | undefined;
  let around: HTMLElement[] = [];
  document.addEventListener("focusin", ({ target }) => {
    focused = target instanceof Element ? target : undefined;
    around = [];
    for (let element = focused?.parentElement; element; element = element.parentElement) {
      if (element.tabIndex === -1 && element.hasAttribute("tabindex")) around.push(element);
    }
  });
  // Whoever presses a mouse button elsewhere has taken the focus away.
  document.addEventListener("pointerdown", () => (focused = undefined), { capture: true });

  new MutationObserver(() => {
    if (focused === undefined || focused.isConnected || document.activeElement !== document.body) return;
    around.find((element) => element.isConnected)?.focus({ preventScroll: true });
  }).observe(root, { childList: true, subtree: true });
}
