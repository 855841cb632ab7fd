/** What the page says about waiting, in plain words. Pure. */
import type { Backend, BackendState } from "./wire";

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

const CONNECTING = "Connecting to the service";

/** A clock time in the reader's own format, such as 14:05. */
const clock = (unix: number): string => new Date(unix * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

const sentence = (part: string): string => part.charAt(0).toUpperCase() + part.slice(1).replace(/[.\s]*$/, ".");
const full = (parts: string[]): string => parts.filter(Boolean).map(sentence).join(" ");

export interface Status {
  tone: Tone;
  state: string;
  /** Reason and times; may be empty. */
  more: string;
}

export function status(backend: Backend | null): Status {
  if (!backend) return { tone: "secondary", state: CONNECTING, more: "" };
  if (backend.ready) {
    return { tone: "success", state: "Ready", more: backend.ends_at ? `Until ${clock(backend.ends_at)}.` : "" };
  }
  const [tone, state] = STATES[backend.state];
  const start = backend.expected_start ? `Expected to start about ${clock(backend.expected_start)}` : "";
  return { tone, state, more: full([backend.reason || (backend.state === "NONE" ? "It starts when you begin" : ""), start]) };
}

/** Nothing runs and nothing is on its way. */
export const idle = (backend: Backend | null): boolean => backend !== null && !backend.ready && ["NONE", "ENDED"].includes(backend.state);

export type SlotState = "empty" | "uploading" | "choosing" | "ready";

export interface Situation {
  online: boolean;
  backend: Backend | null;
  busy: boolean;
  /** States of the photo slots that must be filled, or are being filled. */
  slots: { label: string; state: SlotState }[];
  faults: string[];
}

/** Why the task cannot be asked for now; null when it can. What the person can change comes first. */
export function obstacle({ online, backend, busy, slots, faults }: Situation): string | null {
  const at = (state: SlotState) => slots.filter((slot) => slot.state === state);
  const missing = at("empty").map((slot) => slot.label);
  if (at("uploading").length) return "The photo is being uploaded.";
  if (at("choosing").length) return "Choose a face on the photo first.";
  if (missing.length) return slots.length > 1 ? `Add a photo first: ${missing.join(", ")}.` : "Add a photo first.";
  return faults[0] ?? waiting(online, backend, busy);
}

/** Why no task at all can be asked for now. */
export function waiting(online: boolean, backend: Backend | null, busy: boolean): string | null {
  if (!online) return "The connection is lost.";
  if (busy) return "A task is running.";
  if (!backend) return `${CONNECTING}.`;
  if (backend.ready || idle(backend)) return null;
  const { state, more } = status(backend);
  return `The backend is not ready yet: ${state.charAt(0).toLowerCase()}${state.slice(1)}. ${more}`.trim();
}

/** Time left in words that promise no more than is known; empty when nothing is. */
export function timeLeft(seconds: number | null): string {
  if (seconds === null) return "";
  if (seconds < 2) return "almost done";
  if (seconds < 10) return `about ${Math.round(seconds)} s left`;
  if (seconds < 90) return `about ${Math.ceil(seconds / 5) * 5} s left`;
  return `about ${Math.round(seconds / 60)} min left`;
}

const ORDINALS: Record<string, string> = { one: "st", two: "nd", few: "rd", other: "th" };
const rules = new Intl.PluralRules("en", { type: "ordinal" });

/** 1st, 2nd, 3rd, 4th, ... 21st */
export const ordinal = (n: number): string => `${n}${ORDINALS[rules.select(n)]}`;
