// GPU hours by user and day: a plot, a table, and the same for a spreadsheet.

import { act, ask, askText, at, element, plot, set } from "./common.js";

const FRESH = 60; // seconds: hours of a month do not change by the moment, and the daemon counts them anew each time
const DAYS = 30;
let readAt = 0;

const hours = (number) => (number ? number.toFixed(2) : "–");

export async function showUsage(now) {
  if (now - readAt < FRESH) return;
  readAt = now;
  const usage = await ask(`usage?days=${DAYS}`);
  const most = plot(at("usage-plot"), usage.by_day, "GPU hours on each of the last 30 days");
  set(at("usage-total"), `${usage.gpu_hours.toFixed(2)} h`);
  set(at("usage-most"), `most: ${most.toFixed(2)} h`);
  set(at("usage-first"), new Date(usage.days[0] * 1000).toLocaleDateString([], { timeZone: "UTC" }));
  at("usage-rows").replaceChildren(...(usage.users.length ? usage.users.map(line) : [row(["Nobody had a GPU."], "none")]));
}

const line = (user) =>
  row([user.name || "(nobody)", ...[user.gpu_hours, user.session_hours, user.task_hours, user.trial_hours, user.by_day.at(-1)].map(hours)]);

function row(cells, className = "") {
  const made = element("tr", "", className);
  made.append(...cells.map((cell) => element("td", cell)));
  return made;
}

at("usage-csv").addEventListener("click", () => act(async () => {
  const link = element("a");
  link.href = URL.createObjectURL(new Blob([await askText(`usage.csv?days=${DAYS}`)], { type: "text/csv" }));
  link.download = `ligan-usage-${DAYS}-days.csv`;
  link.click();
  URL.revokeObjectURL(link.href);
}));
