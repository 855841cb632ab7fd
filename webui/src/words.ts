/** What the page says about waiting, in plain words. Pure. */
import type { Backend, BackendState, Task } from "./wire";

export type Tone = "secondary" | "warning" | "success" | "danger";

const STATES: Record<BackendState, [Tone, string]> = {
  NONE: ["secondary", "Not started"],
  REQUESTED: ["warning", "Requested"],
  SUBMITTING: ["warning", "Being submitted"],
  PENDING: ["warning", "Waiting in the queue"],
  STARTING: ["warning", "Starting"],
  READY: ["success", "Ready"],
  DRAINING: ["warning", "Being replaced"],
  ENDED: ["secondary", "Ended"],
};

/** States in which there is a queue to stand in. */
const QUEUED: BackendState[] = ["REQUESTED", "SUBMITTING", "PENDING"];
/** Between two backends of a handover: nothing to worry about. */
const MOVING: [Tone, string] = ["warning", "Changing over to a fresh one"];

const CONNECTING = "Connecting to the service";

/** Times are Unix seconds. In the reader's own format, such as 14:05, or Tue 14:05 on another day. */
export function clock(unix: number, now: number): string {
  const [at, today] = [new Date(unix * 1000), new Date(now * 1000)];
  const day = at.toDateString() === today.toDateString() ? {} : ({ weekday: "short" } as const);
  return at.toLocaleTimeString([], { ...day, hour: "2-digit", minute: "2-digit" });
}

/** Until then, as roughly as it is known. */
function away(seconds: number): string {
  if (seconds < 60) return "in less than a minute";
  if (seconds < 5400) return `in about ${Math.round(seconds / 60)} min`;
  return seconds < 129_600 ? `in about ${Math.round(seconds / 3600)} h` : `in about ${Math.round(seconds / 86_400)} days`;
}

const sentence = (part: string): string => part.charAt(0).toUpperCase() + part.slice(1).replace(/[.\s]*$/, ".");
const full = (parts: string[]): string => parts.filter(Boolean).map(sentence).join(" ");

export interface Status {
  tone: Tone;
  state: string;
  /** Reason and times; may be empty. */
  more: string;
}

export function status(backend: Backend | null, now: number): Status {
  if (!backend) return { tone: "secondary", state: CONNECTING, more: "" };
  if (backend.ready) return { tone: "success", state: "Ready", more: full(ready(backend, now)) };
  const [tone, state] = backend.moving ? MOVING : STATES[backend.state];
  return { tone, state, more: full(unready(backend, now)) };
}

const ready = ({ ends_at, moving }: Backend, now: number): string[] => [
  ends_at ? `Until ${clock(ends_at, now)}` : "",
  moving ? "A fresh one is on its way, and your tasks go on there" : "",
];

const unready = (backend: Backend, now: number): string[] => [
  backend.reason || (backend.state === "NONE" && !backend.moving ? "It starts when you begin" : ""),
  ...(QUEUED.includes(backend.state) ? [place(backend.place), start(backend.expected_start, now)] : []),
  backend.moving ? "Your tasks go on in a moment" : "",
  backend.cpu_ready ? "Your tasks run on a shared CPU meanwhile" : "",
];

function place(place: number | null | undefined): string {
  if (!place) return "";
  return place === 1 ? "Next in the queue" : `Place ${place} in the queue`;
}

function start(expected: number | null, now: number): string {
  if (!expected) return "Start not known yet";
  return expected <= now ? "Expected to start any moment" : `Expected to start at ${clock(expected, now)} (${away(expected - now)})`;
}

/** Nothing runs and nothing is on its way. */
export const idle = (backend: Backend | null): boolean =>
  backend !== null && !backend.ready && !backend.moving && ["NONE", "ENDED"].includes(backend.state);

export type SlotState = "empty" | "uploading" | "failed" | "choosing" | "ready";

export interface Situation {
  online: boolean;
  backend: Backend | null;
  now: number;
  busy: boolean;
  /** A CPU can do it. */
  cpu: boolean;
  /** States of the photo slots that must be filled, or are being filled. */
  slots: { label: string; state: SlotState }[];
  faults: string[];
}

/** Why the task cannot be asked for now; null when it can. What the person can change comes first. */
export function obstacle({ slots, faults, ...situation }: Situation): string | null {
  const at = (state: SlotState) => slots.filter((slot) => slot.state === state);
  const missing = at("empty").map((slot) => slot.label);
  if (at("uploading").length) return "The photo is being uploaded.";
  if (at("failed").length) return "The photo is not there yet. Press Retry beside it.";
  if (at("choosing").length) return "Choose a face on the photo first.";
  if (missing.length) return slots.length > 1 ? `Add a photo first: ${missing.join(", ")}.` : "Add a photo first.";
  return faults[0] ?? waiting(situation);
}

/** Why no task at all can be asked for now. */
export function waiting({ online, backend, now, busy, cpu }: Omit<Situation, "slots" | "faults">): string | null {
  if (!online) return "The connection is lost.";
  if (busy) return "A task is running.";
  if (!backend) return `${CONNECTING}.`;
  if (backend.ready || idle(backend) || (backend.cpu_ready && cpu)) return null;
  const { state, more } = status({ ...backend, cpu_ready: false }, now);
  return `${backend.cpu_ready ? "This needs a GPU. " : ""}The backend is not ready yet: ${state.charAt(0).toLowerCase()}${state.slice(1)}. ${more}`.trim();
}

/** How far a task is; null: it is on its way to the service. */
export function taskWords(task: Pick<Task, "state" | "attempt" | "progress" | "eta_s" | "stopping"> | null): string {
  if (!task) return "Sending";
  if (task.stopping) return "Stopping, the best so far is kept";
  const resumed = task.attempt > 1;
  if (task.state === "queued") return resumed ? "Waiting to be resumed" : "Waiting for its turn";
  return [`${Math.round(task.progress)} %`, timeLeft(task.eta_s), resumed ? "resumed" : ""].filter(Boolean).join(", ");
}

/** Time left in words that promise no more than is known; empty when nothing is. */
export function timeLeft(seconds: number | null): string {
  if (seconds === null) return "";
  if (seconds < 2) return "almost done";
  if (seconds < 10) return `about ${Math.round(seconds)} s left`;
  if (seconds < 90) return `about ${Math.ceil(seconds / 5) * 5} s left`;
  return `about ${Math.round(seconds / 60)} min left`;
}

/** How long something takes: 60 is "1 min", 150 is "2 min 30 s". */
export function duration(seconds: number): string {
  const [minutes, rest] = [Math.floor(seconds / 60), Math.round(seconds % 60)];
  return [minutes ? `${minutes} min` : "", rest || !minutes ? `${rest} s` : ""].filter(Boolean).join(" ");
}

const ORDINALS: Record<string, string> = { one: "st", two: "nd", few: "rd", other: "th" };
const rules = new Intl.PluralRules("en", { type: "ordinal" });

/** 1st, 2nd, 3rd, 4th, ... 21st */
export const ordinal = (n: number): string => `${n}${ORDINALS[rules.select(n)]}`;
