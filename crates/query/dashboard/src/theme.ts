/** Light and dark: the system's choice, until the reader takes the other. The colours themselves are in `style.css`. */
import { useEffect, useState } from "preact/hooks";

export type Theme = "light" | "dark";

const STORED_THEME = "rollcall.theme";
const systemIsDark = matchMedia("(prefers-color-scheme: dark)");

function systemTheme(): Theme {
  return systemIsDark.matches ? "dark" : "light";
}

function storedTheme(): Theme | undefined {
  const theme = localStorage.getItem(STORED_THEME);
  return theme === "light" || theme === "dark" ? theme : undefined;
}

/** The theme on the page, and what switches it. */
export function useTheme(): [Theme, () => void] {
  const [system, setSystem] = useState(systemTheme);
  const [chosen, setChosen] = useState(storedTheme);
  const theme = chosen ?? system;

  useEffect(() => {
    const follow = () => setSystem(systemTheme());
    systemIsDark.addEventListener("change", follow);
    return () => systemIsDark.removeEventListener("change", follow);
  }, []);

  const toggle = () => {
    const other = theme === "dark" ? "light" : "dark";
    // The system's own theme is followed again, rather than pinned.
    const next = other === system ? undefined : other;
    applyTheme(next);
    setChosen(next);
  };
  return [theme, toggle];
}

/** Before the first drawing, so that the page does not flash in the other theme. */
export function applyTheme(theme = storedTheme()): void {
  if (theme === undefined) {
    delete document.documentElement.dataset.theme;
    localStorage.removeItem(STORED_THEME);
  } else {
    document.documentElement.dataset.theme = theme;
    localStorage.setItem(STORED_THEME, theme);
  }
}
