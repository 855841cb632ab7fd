import { describe, expect, it } from "vitest";
import { after, busy, EMPTY, terminal } from "../src/state";
import type { Fact, State } from "../src/state";
import type { Backend, Task } from "../src/wire";

const unsaid = { place: null, expected_start: null, cpu_ready: false, moving: false, ends_at: null };
const backend: Backend = { state: "PENDING", ready: false, generation: 1, reason: "Resources", ...unsaid };
const image = { image_id: "i-1", width: 128, height: 128 };
const problem = { type: "urn:ligan:problem:backend-lost", title: "Lost", status: 503, detail: "Try again." };
const cancelled = { ...problem, type: "urn:ligan:problem:cancelled" };
const created: Fact = { name: "created", data: { task_id: "t-1", kind: "similar", params: { page: 1 } } };

const fold = (...facts: Fact[]): State => facts.reduce(after, EMPTY);
const task = (changes: Partial<Task> = {}): Task => ({
  task_id: "t-1", kind: "similar", params: { page: 1 }, state: "running", attempt: 1, progress: 40, eta_s: 3, result: null, error: null, ...changes,
});
const listed = (tasks: Task[], known: string[] = []): Fact => ({ name: "tasks", data: { tasks, known } });
const result: Fact = { name: "on-result", data: { task_id: "t-1", images: [image] } };
const progress: Fact = { name: "on-progress", data: { task_id: "t-1", percent: 40, eta_s: 3 } };

describe("the backend", () => {
  it("is what the session says, then what events say", () => {
    const session = { session_id: "s-1", backend };
    expect(fold({ name: "session", data: session }).backend).toEqual(backend);
    const ready = { ...backend, state: "READY" as const, ready: true };
    expect(fold({ name: "session", data: session }, { name: "on-ready", data: ready }).backend).toEqual(ready);
    expect(fold({ name: "on-queue", data: backend }).backend?.reason).toBe("Resources");
  });
});

describe("a task", () => {
  it("goes from queued over running to done", () => {
    expect(fold(created).tasks).toMatchObject([{ task_id: "t-1", state: "queued", progress: 0 }]);
    expect(fold(created, progress).tasks).toMatchObject([{ state: "running", progress: 40, eta_s: 3 }]);
    expect(fold(created, progress, result).tasks).toMatchObject([{ state: "done", progress: 100, eta_s: null, result: { images: [image] } }]);
  });

  it("shows the newest preview until the next one, and that it was stopped", () => {
    const shown = (image_id: string): Fact => ({ name: "on-progress", data: { task_id: "t-1", percent: 41, preview: { ...image, image_id } } });
    const stopping: Fact = { name: "stopping", data: { task_id: "t-1", stopping: true } };
    expect(fold(created, shown("i-2"), progress).tasks).toMatchObject([{ preview: { image_id: "i-2" } }]);
    expect(fold(created, shown("i-2"), shown("i-3"), stopping).tasks).toMatchObject([{ preview: { image_id: "i-3" }, stopping: true }]);
    expect(fold(created, result, stopping).tasks[0]!.stopping).toBeUndefined();
  });

  it("fails with its problem, and a cancelled one is not a failure", () => {
    const error = (told: typeof problem): Fact => ({ name: "on-error", data: { task_id: "t-1", problem: told } });
    expect(fold(created, error(problem)).tasks).toMatchObject([{ state: "failed", error: problem }]);
    expect(fold(created, error(cancelled)).tasks).toMatchObject([{ state: "cancelled" }]);
  });

  it("ends once, whatever is replayed", () => {
    const done = fold(created, result);
    const late: Fact[] = [progress, { name: "on-error", data: { task_id: "t-1", problem } }, { name: "cancelling", data: { task_id: "t-1", cancelling: true } }];
    expect(late.reduce(after, done)).toEqual(done);
  });

  it("does not change by another task's events", () => {
    const other: Fact = { name: "on-result", data: { task_id: "t-2", images: [image] } };
    expect(fold(created, other)).toEqual(fold(created));
  });

  it("holds nothing up while it is being cancelled", () => {
    const [cancelling] = fold(created, { name: "cancelling", data: { task_id: "t-1", cancelling: true } }).tasks;
    expect([terminal(cancelling!), busy(cancelling!)]).toEqual([false, false]);
    const [kept] = fold(created, { name: "cancelling", data: { task_id: "t-1", cancelling: true } }, { name: "cancelling", data: { task_id: "t-1", cancelling: false } }).tasks;
    expect(busy(kept!)).toBe(true);
  });

  it("goes back when another backend takes it over from an earlier checkpoint", () => {
    const [moved] = fold(created, progress, listed([task({ attempt: 2, state: "queued", progress: 0 })], ["t-1"])).tasks;
    expect(moved).toMatchObject({ attempt: 2, state: "queued", progress: 0 });
    const again: Fact = { name: "on-progress", data: { task_id: "t-1", percent: 30, eta_s: 5 } };
    expect(after({ backend, tasks: [moved!] }, again).tasks).toMatchObject([{ attempt: 2, state: "running", progress: 30 }]);
  });

  it("is not made twice when the list came before the answer to its creation", () => {
    expect(fold(listed([task()]), created).tasks).toEqual([task()]);
  });
});

describe("the service's list", () => {
  it("replaces what the page knew", () => {
    expect(fold(created, listed([task({ state: "done" })], ["t-1"])).tasks).toEqual([task({ state: "done" })]);
    expect(fold(created, listed([], ["t-1"])).tasks).toEqual([]);
  });

  it("does not undo an end that an event told while it was on its way", () => {
    expect(fold(created, result, listed([task({ state: "running" })], ["t-1"])).tasks).toMatchObject([{ state: "done", result: { images: [image] } }]);
  });

  it("does not drop a task that was created while it was on its way", () => {
    expect(fold(created, listed([task({ task_id: "t-0" })], ["t-0"])).tasks.map((one) => one.task_id)).toEqual(["t-0", "t-1"]);
  });

  it("keeps the wish to cancel", () => {
    const wish: Fact = { name: "cancelling", data: { task_id: "t-1", cancelling: true } };
    expect(fold(created, wish, listed([task()], ["t-1"])).tasks).toMatchObject([{ state: "running", cancelling: true }]);
  });
});
