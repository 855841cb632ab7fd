import { afterEach, beforeEach, expect, it, vi } from "vitest";
import type * as Erasure from "../src/erasure";

let page: typeof Erasure;
let answers: (Response | Error)[];
let closed: boolean;
class FakeEventSource extends EventTarget {
  readyState = 1;
  close() {
    closed = true;
  }
}

const answer = (status: number, body: unknown): Response => new Response(JSON.stringify(body), { status });
const problem = (kind: string, status: number): Response =>
  answer(status, { type: `urn:ligan:problem:${kind}`, title: kind, status, detail: "Try again in a minute." });
const lost = () => new TypeError("network");
const done = () => answer(202, {});
const fetched = vi.fn((_url: string, init?: RequestInit) => {
  if (init?.method !== "DELETE") return new Promise<Response>(() => undefined);
  const next = answers.shift()!;
  return next instanceof Error ? Promise.reject(next) : Promise.resolve(next);
});
const erasures = () => fetched.mock.calls.filter(([url, init]) => url === "/api/v1/session" && init?.method === "DELETE").length;
const reload = vi.fn();
const tab = { state: null as unknown, replaceState: (state: unknown) => void (tab.state = state) };

beforeEach(async () => {
  vi.resetModules(); // each test a freshly loaded page
  page = await import("../src/erasure");
  const store = await import("../src/store");
  vi.useFakeTimers();
  vi.clearAllMocks();
  [closed, tab.state] = [false, null];
  vi.stubGlobal("fetch", fetched);
  vi.stubGlobal("EventSource", FakeEventSource);
  vi.stubGlobal("document", new EventTarget());
  vi.stubGlobal("history", tab);
  vi.stubGlobal("location", { reload });
  store.open();
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

it("erases nothing before it is confirmed", async () => {
  page.ask();
  expect(page.erasure.step).toBe("asking");
  page.keep();
  await page.erase();
  expect([page.erasure.step, erasures()]).toEqual(["none", 0]);
});

it("erases once, stops listening and loads the page anew, which says so once", async () => {
  answers = [done()];
  page.ask();
  const first = page.erase();
  page.keep(); // what is confirmed goes on
  await Promise.all([first, page.erase()]);
  expect([page.erasure.step, erasures(), closed]).toEqual(["erased", 1, true]);
  expect(reload).toHaveBeenCalledOnce();

  page.greet();
  expect(page.erasure.anew).toBe(true);
  page.greet();
  expect(page.erasure.anew).toBe(false);
});

it("tells why it failed, and can be tried again", async () => {
  answers = [problem("database-busy", 503), done()];
  page.ask();
  await page.erase();
  expect(page.erasure).toMatchObject({ step: "asking", problem: { detail: "Try again in a minute." } });
  expect([closed, reload.mock.calls.length, tab.state]).toEqual([false, 0, null]);
  await page.erase();
  expect(page.erasure).toMatchObject({ step: "erased", problem: null });
});

it("forgets an old failure when it is asked again", async () => {
  answers = [problem("database-busy", 503)];
  page.ask();
  await page.erase();
  page.keep();
  page.ask();
  expect(page.erasure.problem).toBeNull();
});

it("takes a missing session for done only when the answer of an earlier try was lost", async () => {
  answers = [problem("no-session", 401), lost(), problem("no-session", 401)];
  page.ask();
  await page.erase();
  expect(page.erasure.problem).toMatchObject({ title: "no-session" });
  await page.erase();
  expect(page.erasure.problem).toMatchObject({ title: "The service cannot be reached" });
  await page.erase();
  expect([page.erasure.step, reload.mock.calls.length]).toEqual(["erased", 1]);
});
