import { describe, expect, it } from "vitest";
import type { Backend } from "../src/wire";
import { idle, obstacle, ordinal, status, timeLeft } from "../src/words";
import type { Situation } from "../src/words";

const backend = (changes: Partial<Backend> = {}): Backend => ({
  state: "READY", ready: true, generation: 1, reason: "", expected_start: null, ends_at: null, ...changes,
});
const waits = backend({ state: "PENDING", ready: false, reason: "waiting for a free GPU" });
const situation = (changes: Partial<Situation> = {}): Situation => ({
  online: true, backend: backend(), busy: false, slots: [{ label: "Photo", state: "ready" }], faults: [], ...changes,
});
const slot = (state: Situation["slots"][number]["state"], label = "Photo") => ({ label, state });

describe("status", () => {
  it("says state and reason in words", () => {
    expect(status(waits)).toEqual({ tone: "warning", state: "Waiting in the queue", more: "Waiting for a free GPU." });
    expect(status(null).state).toBe("Connecting to the service");
    expect(status(backend({ state: "NONE", ready: false }))).toEqual({ tone: "secondary", state: "Not started", more: "It starts when you begin." });
    expect(status(backend({ state: "ENDED", ready: false, reason: "Out of memory." })).more).toBe("Out of memory.");
  });

  it("calls a backend that drains while its successor is ready, ready", () => {
    expect(status(backend({ state: "DRAINING" })).state).toBe("Ready");
  });

  it("gives the expected start as a clock time", () => {
    expect(status({ ...waits, expected_start: 1_700_000_000 }).more).toMatch(/Expected to start about .*\d\d.*\.$/);
  });
});

it("is idle only when nothing runs and nothing is on its way", () => {
  const states = ["NONE", "REQUESTED", "SUBMITTING", "PENDING", "STARTING", "DRAINING", "ENDED"] as const;
  expect(states.filter((state) => idle(backend({ state, ready: false })))).toEqual(["NONE", "ENDED"]);
  expect(idle(null)).toBe(false);
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
    ["The backend is not ready yet: waiting in the queue. Waiting for a free GPU.", { backend: waits }],
    [null, { backend: backend({ state: "ENDED", ready: false }) }],
  ])("is %j", (expected, changes) => {
    expect(obstacle(situation(changes))).toBe(expected);
  });
});

it.each([[null, ""], [0.4, "almost done"], [7.6, "about 8 s left"], [31, "about 35 s left"], [200, "about 3 min left"]])("says of %j s: %s", (seconds, text) => {
  expect(timeLeft(seconds)).toBe(text);
});

it("counts as English does", () => {
  expect([1, 2, 3, 4, 11, 12, 13, 21, 22].map(ordinal)).toEqual(["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd"]);
});
