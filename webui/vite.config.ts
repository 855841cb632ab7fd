import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  plugins: [vue()],
  build: {
    outDir: "../frontend_server/static",
    emptyOutDir: true,
    rolldownOptions: { checks: { pluginTimings: false } }, // a hint about the build's speed, of no use to who installs
  },
  css: {
    // Bootstrap 5.3 is written for Sass's older module syntax; its own warnings are not ours to fix.
    preprocessorOptions: {
      scss: { quietDeps: true, silenceDeprecations: ["import", "global-builtin", "color-functions", "if-function"] },
    },
  },
  // `npm run dev` beside a running service: open its page once for the cookie, which holds for every port of a host.
  server: { proxy: { "/api": "http://127.0.0.1:7022", "/docs": "http://127.0.0.1:7022" } },
});
