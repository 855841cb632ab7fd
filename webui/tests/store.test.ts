import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type * as Store from "../src/store";

let page: typeof Store;
let store: typeof Store.store;

/** The stream that the page opened. */
let stream: EventTarget & { readyState: number };
class FakeEventSource extends EventTarget {
  readyState = 1;
  constructor() {
    super();
    stream = this;
  }
  close() {}
}

const backend = {
  state: "READY", ready: true, generation: 1, reason: "", place: null, expected_start: null, cpu_ready: false, moving: false, ends_at: null,
};
const task = { task_id: "t-1", kind: "noop", params: {}, state: "running", attempt: 1, progress: 50, eta_s: null, result: null, error: null };
let service: { backend: unknown; tasks: unknown[]; status: number };
let posted: Response[];
const asked = (path: string): number => fetched.mock.calls.filter(([url]) => url === `/api/v1/${path}`).length;
const fetched = vi.fn((url: string, init?: RequestInit) => {
  if (init?.method === "POST") return Promise.resolve(posted.shift()!);
  const answers: Record<string, unknown> = {
    "/api/v1/session": { session_id: "s-1", backend: service.backend },
    "/api/v1/tasks/kinds": { kinds: [] },
    "/api/v1/tasks": { tasks: service.tasks },
  };
  return Promise.resolve(new Response(JSON.stringify(answers[url]), { status: service.status }));
});
const say = (name: string, data?: unknown) => stream.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }));
const settle = () => vi.advanceTimersByTimeAsync(1);

beforeEach(async () => {
  vi.resetModules(); // each test a freshly loaded page
  page = await import("../src/store");
  store = page.store;
  vi.useFakeTimers();
  service = { backend, tasks: [task], status: 200 };
  vi.stubGlobal("fetch", fetched);
  vi.stubGlobal("EventSource", FakeEventSource);
  vi.stubGlobal("document", new EventTarget());
  page.open();
  await settle();
  fetched.mockClear();
});
afterEach(() => void vi.useRealTimers());

it("reads everything again when the service cannot replay what was missed", async () => {
  service.tasks = [{ ...task, state: "done", progress: 100 }];
  say("resync");
  await settle();
  expect([asked("session"), asked("tasks")]).toEqual([1, 1]);
  expect(store.known.tasks).toMatchObject([{ state: "done" }]);
});

it("reads the tasks again when another backend has taken them over, and raises no alarm", async () => {
  service = { ...service, backend: { ...backend, generation: 2 }, tasks: [{ ...task, attempt: 2, progress: 40 }] };
  say("on-queue", { ...backend, moving: true });
  await settle();
  expect(asked("tasks")).toBe(0);
  say("on-ready", service.backend);
  await settle();
  expect(store.known.tasks).toMatchObject([{ attempt: 2, state: "running", progress: 40 }]);
  expect(store.problems).toEqual([]);
});

it("waits a while for a web server that is replaced before it says so", async () => {
  service.status = 503;
  say("resync");
  await vi.advanceTimersByTimeAsync(8000);
  expect(store.problems).toEqual([]);
  await vi.advanceTimersByTimeAsync(4000);
  expect(store.problems).toMatchObject([{ status: 503 }]);
  service.status = 200;
  await vi.advanceTimersByTimeAsync(3000);
  fetched.mockClear();
  await vi.advanceTimersByTimeAsync(30_000);
  expect(fetched).not.toHaveBeenCalled();
});

it("tells no more why there was no backend once one is asked for again", async () => {
  const problem = { type: "urn:ligan:problem:maintenance", title: "No new backends", status: 503, detail: "New disks." };
  const started = { session_id: "s-1", backend: { ...backend, state: "REQUESTED", ready: false } };
  say("on-queue", { ...backend, state: "ENDED", ready: false });
  posted = [new Response(JSON.stringify(problem), { status: 503 }), new Response(JSON.stringify(started))];
  await page.interact();
  expect(store.problems).toMatchObject([{ detail: "New disks." }]);
  await page.interact();
  expect([store.known.backend?.state, store.problems]).toEqual(["REQUESTED", []]);
});

it("asks once more for a task that the gateway could not hand on, and never for one that may have been taken", async () => {
  const answer = (status: number, body: unknown) => new Response(JSON.stringify(body), { status, headers: { "Retry-After": "2" } });
  const problem = (kind: string) => ({ type: `urn:ligan:problem:${kind}`, title: kind, status: 503, detail: "" });
  posted = [answer(503, problem("frontend-not-ready")), answer(202, { task_id: "t-2" })];
  const created = page.again({ kind: "noop", params: {} });
  await vi.advanceTimersByTimeAsync(2000);
  await created;
  expect([store.shown, store.problems]).toEqual(["t-2", []]);
  posted = [answer(502, problem("unreachable"))];
  await page.again({ kind: "noop", params: {} });
  expect([store.shown, store.problems[0]?.title]).toEqual(["t-2", "unreachable"]);
});
