// Announcement and maintenance: what is on, and the two forms that change it.

import { Refused, ask, at, set } from "./common.js";

const clock = (unix) => new Date(unix * 1000).toLocaleString([], { dateStyle: "medium", timeStyle: "short" });
const moment = (id) => (at(id).value ? new Date(at(id).value).getTime() / 1000 : null); // in the browser's zone, as shown

export function showNotices({ announcement, maintenance }, now) {
  const until = announcement?.until ? ` until ${clock(announcement.until)}` : "";
  set(at("announcement-state"), announcement ? `On every page${until}: “${announcement.text}”` : "");
  at("announcement-off").hidden = !announcement;
  set(at("maintenance-state"), maintenance ? words(maintenance, now) : "None: jobs are submitted.");
  at("maintenance-off").hidden = !maintenance;
}

/** For the banner. */
export const tellNotices = ({ maintenance }, now) => (maintenance ? [words(maintenance, now)] : []);

function words({ at: begins, until, drain, message }, now) {
  const when = begins <= now ? `Maintenance since ${clock(begins)}` : `Maintenance planned from ${clock(begins)}`;
  const what = drain ? "backends end once their tasks are done" : "backends that run go on";
  const told = message ? ` People are told: “${message}”` : "";
  return `${when}${until ? ` until ${clock(until)}` : ""}: no job is submitted but the web server's, ${what}.${told}`;
}

async function order(what, body, form) {
  set(at(`${what}-error`), "");
  try {
    const said = await ask(what, body);
    form?.reset();
    showNotices(said, Date.now() / 1000);
  } catch (error) {
    set(at(`${what}-error`), error instanceof Refused ? "The daemon refused it." : error.message);
  }
}

at("announcement-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const body = { text: at("announcement-text").value, level: at("announcement-level").value, until: moment("announcement-until") };
  order("announcement", body, event.target);
});
at("announcement-off").addEventListener("click", () => order("announcement", { text: "" }));
at("maintenance-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const times = { at: moment("maintenance-at"), until: moment("maintenance-until") };
  const body = { on: true, ...times, drain: at("maintenance-drain").checked, message: at("maintenance-message").value };
  order("maintenance", body, event.target);
});
at("maintenance-off").addEventListener("click", () => order("maintenance", { on: false }));
