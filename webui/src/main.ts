import { createApp } from "vue";
import App from "./App.vue";
import { watchAccount } from "./account";
import { greet } from "./erasure";
import { open } from "./store";
import "./theme.scss";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const setTheme = () => (document.documentElement.dataset.bsTheme = dark.matches ? "dark" : "light");

setTheme();
dark.addEventListener("change", setTheme);
createApp(App).mount("#app");
open();
greet();
watchAccount();
