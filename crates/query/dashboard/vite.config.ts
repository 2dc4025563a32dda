import { defineConfig } from "vitest/config";

export default defineConfig({
  // Relative addresses: the page works at `/` and under any prefix.
  base: "./",
  oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
  build: {
    target: ["chrome123", "firefox121", "safari17.5"],
    // No inline script: the page is served with `script-src 'self'`.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    // The notices of the libraries that are bundled, which their licences ask for.
    license: { fileName: "licenses.md" },
    // Names without hashes: the binary embeds these files by name, and serves them with an `ETag`.
    rolldownOptions: {
      output: { entryFileNames: "dashboard.js", assetFileNames: "dashboard[extname]" },
    },
  },
  // For `npm run dev`: a Rollcall that answers the API.
  server: { proxy: { "/api": process.env.ROLLCALL_URL ?? "http://127.0.0.1:8080" } },
  test: { include: ["src/**/*.test.{ts,tsx}"] },
});
