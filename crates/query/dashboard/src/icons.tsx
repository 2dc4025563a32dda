/** Icons, drawn in the colour of the text around them. What they mean is said by their button. */
import type { ComponentChildren } from "preact";

function Icon({ children }: { children: ComponentChildren }) {
  return (
    <svg viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round"
      stroke-linejoin="round" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

export const SunIcon = () => (
  <Icon>
    <circle cx="8" cy="8" r="3" />
    <path d="M8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1.1 1.1M11.9 11.9 13 13M13 3l-1.1 1.1M4.1 11.9 3 13" />
  </Icon>
);

export const MoonIcon = () => <Icon><path d="M13.5 9.5A6 6 0 1 1 6.5 2.5a4.8 4.8 0 0 0 7 7Z" /></Icon>;

export const CloseIcon = () => <Icon><path d="m3.5 3.5 9 9M12.5 3.5l-9 9" /></Icon>;

export const DownloadIcon = () => <Icon><path d="M8 2v8M4.5 7 8 10.5 11.5 7M2.5 13.5h11" /></Icon>;

export const Logo = () => (
  <svg class="logo" viewBox="0 0 16 16" width="24" height="24" aria-hidden="true" focusable="false">
    <rect width="16" height="16" rx="4" />
    <path d="M4 12V8M8 12V4M12 12V6" />
  </svg>
);
