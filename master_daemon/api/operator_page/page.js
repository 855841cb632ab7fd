// The operator page: asks the daemon's admin API every two seconds and shows the answer. All text is set as text.

import { KEY, Refused, act, ask, at, element, plot, set, span } from "./common.js";
import { showNotices, tellNotices } from "./notices.js";
import { showUsage } from "./usage.js";

const PERIOD = 2000; // ms between questions: fresh enough to watch, and one small read of the database for the daemon
const EXPLAINABLE = /^([0-9a-f]{12}|(t-)?[0-9a-z]{22})$/; // a session's tag, a job's, a task
const SESSIONS = 100; // shown, the last seen first: visitors who only looked are many
let timer = 0;
let draining = false;

async function isOperator() {
  const answer = await fetch("/api/v1/account", { cache: "no-store" }).catch(() => null);
  return answer?.ok ? (await answer.json()).role === "operator" : false;
}

// Words ---------------------------------------------------------------------------------------------------------------

const until = (moment, now, none) => (moment === null ? none : moment > now ? span(moment - now) : "any moment");
const counts = (states) => Object.entries(states).filter(([, n]) => n).map(([state, n]) => `${n} ${state.toLowerCase()}`).join(" · ") || "none";

// Tables and tiles ------------------------------------------------------------------------------------------------------

function link(text, id) {
  const button = element("button", text, "link");
  button.type = "button";
  button.dataset.explain = id;
  button.setAttribute("aria-label", `Explain ${text}`);
  return button;
}

function rows(body, lines, none) {
  const key = JSON.stringify(lines);
  if (body.dataset.shown === key) return;
  const focused = body.contains(document.activeElement) ? document.activeElement.dataset.explain : null;
  body.dataset.shown = key;
  body.replaceChildren(...(lines.length ? lines.map(row) : [emptyRow(none)]));
  if (focused) body.querySelector(`[data-explain="${CSS.escape(focused)}"]`)?.focus();
}

function row(cells) {
  const line = element("tr");
  for (const cell of cells) {
    if (cell?.explain) line.append(element("td", link(cell.text, cell.explain)));
    else if (cell?.state) line.append(element("td", cell.state.toLowerCase(), cell.state.toLowerCase()));
    else line.append(element("td", String(cell)));
  }
  return line;
}

function emptyRow(text) {
  const line = element("tr", "", "none");
  const cell = element("td", text);
  cell.colSpan = 7;
  line.append(cell);
  return line;
}

function tiles(status) {
  const backends = { ...(status.jobs.backend ?? {}) };
  const heard = status.scheduler_answer_age_s;
  const facts = [
    ["Backends", counts(backends)],
    ["Web server", counts(status.jobs.frontend ?? {})],
    ["Sessions that want a backend", `${status.wanting} of ${status.sessions}`],
    ["Pages open", status.pages],
    ["Tasks", counts({ queued: status.tasks.queued, running: status.tasks.running })],
    ["Scheduler answered", heard === null ? "not yet" : `${span(heard)} ago`],
    ["Scheduler calls", `${status.scheduler_calls_per_minute} / min`],
    ["Disk free", `${(status.disk_free_bytes / 2 ** 30).toFixed(1)} GiB`],
  ];
  at("tiles").replaceChildren(...facts.map(([name, value]) => {
    const tile = element("div");
    tile.append(element("dt", name), element("dd", String(value)));
    return tile;
  }));
}

// The board -------------------------------------------------------------------------------------------------------------

function show(status, jobs, sessions) {
  const now = status.now;
  set(at("version"), `${status.version} · ${status.manager}`);
  set(at("connection"), "Live");
  tiles(status);
  const busiest = plot(at("tasks-plot"), status.recent.tasks, "Tasks ended in each minute of the last hour");
  const longest = plot(at("wait-plot"), status.recent.wait_s, "Longest wait in each minute of the last hour, in seconds");
  set(at("tasks-most"), `most: ${busiest}`);
  set(at("wait-most"), `longest: ${span(longest)}`);
  set(at("tasks-now"), String(status.recent.tasks.at(-2)));
  const waits = status.recent.wait_s.filter((wait) => wait !== null);
  set(at("wait-now"), waits.length ? `${span(waits.at(-1))} (last)` : "no job started");
  rows(at("job-rows"), jobs.map((job) => [
    { text: job.job_id ?? job.nonce, explain: job.nonce }, `${job.role === job.seat ? "" : `${job.role} `}${job.seat} · ${job.generation}`, { state: job.state },
    span(now - job.since), until(job.ends_at, now, "–"), job.tasks, job.reason,
  ]), "No job lives.");
  rows(at("queue-rows"), status.queue.map((one) => [
    one.place, { text: one.session, explain: one.session }, span(now - one.since), one.state.toLowerCase(),
    until(one.expected_start, now, "not known"), one.tasks, one.reason,
  ]), "Nobody waits.");
  rows(at("session-rows"), sessions.map((one) => [
    { text: one.session, explain: one.session }, one.user || "–", `${span(now - one.seen_at)} ago`, `${span(now - one.created_at)} ago`,
    one.wants_backend ? `for ${span(now - (one.wanted_at ?? now))}` : "no", one.tasks,
  ]), "There are none.");
  rows(at("event-rows"), status.events.map((one) => [
    span(now - one.at), EXPLAINABLE.test(one.subject) ? { text: one.subject, explain: one.subject } : one.subject, one.what,
  ]), "Nothing was recorded in the last week.");
  drainForm(status.drain, now);
  showNotices(status.notices, now);
  warn(status);
}

function warn(status) {
  const warnings = [];
  if (status.breaker_open) warnings.push("Submitting is paused or on trial: the scheduler refused jobs, or they failed at their start.");
  if (status.drain.on) warnings.push("Draining: no backend is started for a new session.");
  warnings.push(...tellNotices(status.notices, status.now));
  set(at("warning"), warnings.join(" "));
  at("warning").hidden = !warnings.length;
}

function drainForm(drain, now) {
  draining = drain.on;
  const told = drain.message ? ` People are told: “${drain.message}”` : "";
  set(at("drain-state"), drain.on ? `On for ${span(now - drain.since)}.${told}` : "Off: backends are started for new sessions.");
  set(at("drain-button"), drain.on ? "Start backends again" : "Start no backend for new sessions");
  at("message").disabled = drain.on;
}

async function explain(id) {
  const told = await ask(`explain/${encodeURIComponent(id)}`);
  const now = Date.now() / 1000;
  set(at("explained"), told.what);
  const next = told.next_at === null ? told.next : `${told.next} (in ${span(told.next_at - now)})`;
  const facts = [["State", `${told.state} for ${span(now - told.since)}`], ["Why", told.why], ["Next", next]];
  at("explanation-facts").replaceChildren(...facts.flatMap(([name, text]) => [element("dt", name), element("dd", text)]));
  at("explanation-history").replaceChildren(...told.history.map((one) => element("li", `${new Date(one.at * 1000).toLocaleString()} · ${one.what}`)));
  if (!at("explanation").open) at("explanation").showModal();
}

// The loop --------------------------------------------------------------------------------------------------------------

async function turn() {
  clearTimeout(timer);
  try {
    const [status, jobs, sessions] = await Promise.all([ask("status"), ask("jobs"), ask(`sessions?count=${SESSIONS}`)]);
    enter(true);
    show(status, jobs.jobs, sessions.sessions);
    await showUsage(status.now);
  } catch (error) {
    if (error instanceof Refused) return leave(sessionStorage.getItem(KEY) ? "This is not the operator token of this daemon." : "You are not logged in as an operator any more.");
    set(at("connection"), "No answer from the daemon; what is shown may be old.");
  }
  timer = setTimeout(turn, PERIOD);
}

function enter(on) {
  at("board").hidden = !on;
  at("leave").hidden = !on || !sessionStorage.getItem(KEY);
  at("entry").hidden = on;
}

function leave(why = "") {
  clearTimeout(timer);
  sessionStorage.removeItem(KEY);
  enter(false);
  set(at("connection"), "");
  set(at("token-error"), why);
  at("token").focus();
}

at("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(KEY, at("token").value.trim());
  at("token").value = "";
  set(at("token-error"), "");
  turn();
});
at("leave").addEventListener("click", () => leave());
at("drain-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  await act(() => ask("drain", { on: !draining, message: draining ? "" : at("message").value }));
  turn();
});
document.addEventListener("click", (event) => {
  const id = event.target.dataset?.explain;
  if (id) act(() => explain(id));
});

sessionStorage.getItem(KEY) || (await isOperator()) ? turn() : leave();
