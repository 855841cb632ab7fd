import { describe, expect, it } from "vitest";
import type { Backend } from "../src/wire";
import { duration, idle, obstacle, ordinal, status, taskWords, timeLeft } from "../src/words";
import type { Situation } from "../src/words";

const backend = (changes: Partial<Backend> = {}): Backend => ({
  state: "READY", ready: true, generation: 1, reason: "", place: null, expected_start: null, cpu_ready: false, moving: false, ends_at: null,
  ...changes,
});
const waits = backend({ state: "PENDING", ready: false, reason: "waiting for a free GPU" });
const NOON = new Date(2026, 10, 23, 12).getTime() / 1000; // a Monday, in the reader's own time zone
const more = (changes: Partial<Backend>): string => status({ ...waits, ...changes }, NOON).more;
const clock = (unix: number): string => new Date(unix * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
const situation = (changes: Partial<Situation> = {}): Situation => ({
  online: true, backend: backend(), now: NOON, busy: false, cpu: true, slots: [{ label: "Photo", state: "ready" }], faults: [], ...changes,
});
const slot = (state: Situation["slots"][number]["state"], label = "Photo") => ({ label, state });

describe("status", () => {
  it("says state and reason in words", () => {
    const more = "Waiting for a free GPU. Start not known yet.";
    expect(status(waits, NOON)).toEqual({ tone: "warning", state: "Waiting in the queue", more });
    expect(status(null, NOON).state).toBe("Connecting to the service");
    expect(status(backend({ state: "NONE", ready: false }), NOON)).toEqual({ tone: "secondary", state: "Not started", more: "It starts when you begin." });
    expect(status(backend({ state: "ENDED", ready: false, reason: "Out of memory." }), NOON).more).toBe("Out of memory.");
  });

  it("calls a backend that drains while its successor is ready, ready", () => {
    expect(status(backend({ state: "DRAINING" }), NOON).state).toBe("Ready");
  });

  it("gives the expected start as a clock time and how far away it is", () => {
    const at = (seconds: number) => more({ expected_start: NOON + seconds }).replace("Waiting for a free GPU. ", "");
    expect(at(240)).toBe(`Expected to start at ${clock(NOON + 240)} (in about 4 min).`);
    expect(at(7200)).toBe(`Expected to start at ${clock(NOON + 7200)} (in about 2 h).`);
    expect(at(20)).toContain("(in less than a minute)");
    expect(at(-5)).toBe("Expected to start any moment.");
    expect(at(86_400)).toMatch(/at Tue.* \(in about 24 h\)/);
    expect(at(4 * 86_400)).toContain("(in about 4 days)");
  });

  it("gives the place in the queue, while there is one to stand in", () => {
    expect(more({ place: 3 })).toContain("Place 3 in the queue.");
    expect(more({ place: 1 })).toContain("Next in the queue.");
    expect(more({ state: "STARTING", place: 1, reason: "Models are loading" })).toBe("Models are loading.");
  });

  it("says that a CPU does the tasks meanwhile", () => {
    expect(more({ cpu_ready: true })).toMatch(/Your tasks run on a shared CPU meanwhile\.$/);
  });

  it("is calm during a handover", () => {
    const replaced = status(backend({ moving: true }), NOON);
    expect(replaced).toEqual({ tone: "success", state: "Ready", more: "A fresh one is on its way, and your tasks go on there." });
    for (const state of ["STARTING", "DRAINING", "ENDED", "NONE"] as const) {
      const between = status(backend({ state, ready: false, moving: true }), NOON);
      expect(between).toEqual({ tone: "warning", state: "Changing over to a fresh one", more: "Your tasks go on in a moment." });
    }
  });
});

it("is idle only when nothing runs and nothing is on its way", () => {
  const states = ["NONE", "REQUESTED", "SUBMITTING", "PENDING", "STARTING", "DRAINING", "ENDED"] as const;
  expect(states.filter((state) => idle(backend({ state, ready: false })))).toEqual(["NONE", "ENDED"]);
  expect(idle(null)).toBe(false);
  expect(idle(backend({ state: "ENDED", ready: false, moving: true }))).toBe(false);
});

describe("obstacle", () => {
  it.each<[string | null, Partial<Situation>]>([
    [null, {}],
    [null, { slots: [] }],
    ["Add a photo first.", { slots: [slot("empty")] }],
    ["Add a photo first: Second.", { slots: [slot("ready", "First"), slot("empty", "Second")] }],
    ["The photo is being uploaded.", { slots: [slot("uploading")], backend: waits }],
    ["Choose a face on the photo first.", { slots: [slot("choosing")] }],
    ["Count must be a whole number.", { faults: ["Count must be a whole number."], busy: true }],
    ["A task is running.", { busy: true }],
    ["The connection is lost.", { online: false, busy: true }],
    ["Connecting to the service.", { backend: null }],
    ["The photo is not there yet. Press Retry beside it.", { slots: [slot("failed")] }],
    ["The backend is not ready yet: waiting in the queue. Waiting for a free GPU. Start not known yet.", { backend: waits }],
    [null, { backend: { ...waits, cpu_ready: true } }],
    [
      "This needs a GPU. The backend is not ready yet: waiting in the queue. Waiting for a free GPU. Start not known yet.",
      { backend: { ...waits, cpu_ready: true }, cpu: false },
    ],
    [null, { backend: backend({ state: "ENDED", ready: false }) }],
  ])("is %j", (expected, changes) => {
    expect(obstacle(situation(changes))).toBe(expected);
  });
});

it.each([[null, ""], [0.4, "almost done"], [7.6, "about 8 s left"], [31, "about 35 s left"], [200, "about 3 min left"]])("says of %j s: %s", (seconds, text) => {
  expect(timeLeft(seconds)).toBe(text);
});

it("says how long something may take", () => {
  expect([60, 90, 600, 45, 0].map(duration)).toEqual(["1 min", "1 min 30 s", "10 min", "45 s", "0 s"]);
});

it("says that what was stopped is kept", () => {
  expect(taskWords({ state: "running", attempt: 1, progress: 40, eta_s: 8, stopping: true })).toBe("Stopping, the best so far is kept");
});

it("counts as English does", () => {
  expect([1, 2, 3, 4, 11, 12, 13, 21, 22].map(ordinal)).toEqual(["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd"]);
});

it("says how far a task is, and that it goes on where it was", () => {
  const words = (state: "queued" | "running", attempt: number) => taskWords({ state, attempt, progress: 40.4, eta_s: 8 });
  expect([words("queued", 1), words("running", 1)]).toEqual(["Waiting for its turn", "40 %, about 8 s left"]);
  expect([words("queued", 2), words("running", 2)]).toEqual(["Waiting to be resumed", "40 %, about 8 s left, resumed"]);
  expect(taskWords(null)).toBe("Sending");
});
