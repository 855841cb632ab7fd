import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { listen } from "../src/events";
import type { Source } from "../src/events";

class FakeSource extends EventTarget implements Source {
  readyState = 1;
  close = vi.fn(() => (this.readyState = 2));
  say = (name: string, data?: unknown) => this.dispatchEvent(new MessageEvent(name, { data: JSON.stringify(data) }));
  refuse() {
    this.readyState = 2;
    this.dispatchEvent(new Event("error"));
  }
}

let sources: FakeSource[];
const listener = { opened: vi.fn(), lost: vi.fn(), fact: vi.fn(), notices: vi.fn(), resync: vi.fn() };
const start = () => listen("/events", listener, () => (sources.push(new FakeSource()), sources.at(-1)!));

beforeEach(() => {
  sources = [];
  vi.useFakeTimers();
  Object.values(listener).forEach((mock) => mock.mockReset());
});
afterEach(() => vi.useRealTimers());

it("turns named events into facts", () => {
  start();
  sources[0]!.say("on-progress", { task_id: "t-1", percent: 5 });
  sources[0]!.say("on-something-else", {});
  expect(listener.fact.mock.calls).toEqual([[{ name: "on-progress", data: { task_id: "t-1", percent: 5 } }]]);
});

it("passes on what operators tell everybody", () => {
  start();
  sources[0]!.say("on-notice", { announcement: null, maintenance: null });
  expect(listener.notices.mock.calls).toEqual([[{ announcement: null, maintenance: null }]]);
  expect(listener.fact).not.toHaveBeenCalled();
});

it("passes on opening and resync", () => {
  start();
  sources[0]!.dispatchEvent(new Event("open"));
  sources[0]!.say("resync");
  expect([listener.opened.mock.calls.length, listener.resync.mock.calls.length]).toEqual([1, 1]);
});

it("leaves a broken stream to the browser", () => {
  start();
  sources[0]!.readyState = 0;
  sources[0]!.dispatchEvent(new Event("error"));
  vi.advanceTimersByTime(60_000);
  expect(listener.lost).toHaveBeenCalledOnce();
  expect(sources).toHaveLength(1);
});

it("opens a refused stream anew, at growing intervals, and starts over once it stood", () => {
  start();
  sources[0]!.refuse();
  vi.advanceTimersByTime(1000);
  expect(sources).toHaveLength(2);
  sources[1]!.refuse();
  vi.advanceTimersByTime(1999);
  expect(sources).toHaveLength(2);
  vi.advanceTimersByTime(1);
  sources[2]!.dispatchEvent(new Event("open"));
  sources[2]!.refuse();
  vi.advanceTimersByTime(1000);
  expect(sources).toHaveLength(4);
});

it("takes a stream that fell silent for broken, and opens another", () => {
  start();
  sources[0]!.dispatchEvent(new Event("open"));
  for (let word = 0; word < 5; word++) {
    vi.advanceTimersByTime(8000);
    sources[0]!.say("keepalive");
  }
  expect(listener.lost).not.toHaveBeenCalled();
  vi.advanceTimersByTime(8500);
  expect(listener.lost).toHaveBeenCalledOnce();
  expect([sources.length, sources[0]!.readyState]).toEqual([2, 2]);
  sources[1]!.dispatchEvent(new Event("open"));
  expect(listener.opened).toHaveBeenCalledTimes(2);
});

it("waits longer for a stream to be opened: many come back at once", () => {
  start();
  vi.advanceTimersByTime(29_999);
  expect(sources).toHaveLength(1);
  vi.advanceTimersByTime(1);
  expect(sources).toHaveLength(2);
});

it.each([() => sources[0]!.refuse(), () => sources[0]!.dispatchEvent(new Event("open"))])("stops for good", (last) => {
  const stop = start();
  last();
  stop();
  vi.advanceTimersByTime(60_000);
  expect(sources).toHaveLength(1);
});
