// What all parts of the operator page use: asking the admin API, and putting words and bars on the page.

export const KEY = "ligan-operator-token";
export const at = (id) => document.getElementById(id);

const PATIENCE = 10_000; // ms for an answer: a daemon that hangs says nothing, and what it said last gets old

export class Refused extends Error {}

async function fetched(path, body) {
  const token = sessionStorage.getItem(KEY); // without one the browser's login counts
  const headers = token ? { Authorization: `Bearer ${token}` } : {};
  const options = body ? { method: "POST", body: JSON.stringify(body), headers: { ...headers, "Content-Type": "application/json" } } : { headers };
  const answer = await fetch(`/api/v1/admin/${path}`, { ...options, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  if (answer.status === 403) throw new Refused();
  if (!answer.ok) throw new Error((await answer.json()).detail ?? `The daemon answered ${answer.status}.`);
  return answer;
}

export const ask = async (path, body) => (await fetched(path, body)).json();
export const askText = async (path) => (await fetched(path)).text();

export async function act(deed) {
  try {
    await deed();
  } catch (error) {
    const silent = error.name === "TimeoutError" && "No answer from the daemon; it may still do it.";
    set(at("connection"), error instanceof Refused ? "The daemon refused it." : silent || error.message);
  }
}

export function span(seconds) {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86400) return `${Math.floor(s / 3600)} h ${Math.floor((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86400)} d ${Math.floor((s % 86400) / 3600)} h`;
}

export function set(node, text) {
  if (node.textContent !== text) node.textContent = text; // unchanged text is not announced again
}

export function element(name, content = "", className = "") {
  const made = document.createElement(name);
  made.className = className;
  made.append(content);
  return made;
}

export function plot(svg, values, label) {
  const highest = Math.max(0, ...values.map((value) => value ?? 0));
  const most = highest || 1;
  const bars = values.map((value, index) => {
    const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const height = value ? Math.max(2, (value / most) * 60) : 0;
    for (const [name, number] of Object.entries({ x: index * 10, y: 64 - height, width: 8, height })) bar.setAttribute(name, number);
    return bar;
  });
  svg.setAttribute("viewBox", `0 0 ${values.length * 10} 64`);
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-label", `${label}; at most ${Math.round(highest * 10) / 10}`);
  svg.replaceChildren(...bars);
  return highest;
}
