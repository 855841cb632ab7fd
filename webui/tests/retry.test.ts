import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ProblemError, readProblem, retryAfter, unreachable } from "../src/problem";
import { passing, patiently, pauseMs, unsent } from "../src/retry";

const away = (status = 503, after: number | null = null) => new ProblemError(readProblem(status, null), after);
const gone = () => new ProblemError(unreachable());

it("tells what passes from what does not", () => {
  expect([0, 502, 503, 504, 413, 422, 500].filter((status) => passing(readProblem(status, null)))).toEqual([0, 502, 503, 504]);
  expect(passing(unreachable())).toBe(true);
  const own = { ...unreachable(), type: "urn:ligan:problem:frontend-not-ready" };
  expect([unsent(own), unsent(unreachable())]).toEqual([true, false]); // a lost answer may have been a yes
});

it("pauses longer each time, as long as the service wishes, and for a minute in all", () => {
  expect([1, 2, 3, 4, 5, 6].map((tries) => pauseMs(tries, null, 0))).toEqual([500, 1000, 2000, 4000, 8000, 8000]);
  expect([pauseMs(1, 5, 0), pauseMs(5, 1, 0), pauseMs(1, 5, 55_000)]).toEqual([5000, 8000, 5000]);
  expect([pauseMs(1, 5, 55_001), pauseMs(1, 61, 0)]).toEqual([null, null]);
});

it("reads Retry-After as seconds or as a date", () => {
  const now = Date.parse("2026-11-22T12:00:00Z");
  expect(["2", "Sun, 22 Nov 2026 12:00:30 GMT", "Sun, 22 Nov 2026 11:00:00 GMT", "soon", null].map((text) => retryAfter(text, now)))
    .toEqual([2, 30, 0, null, null]);
});

describe("patiently", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  function run(call: () => Promise<string>) {
    const abort = new AbortController();
    const again = vi.fn();
    const end = patiently(call, { when: passing, again, signal: abort.signal }).catch((error: unknown) => error);
    return { abort, again, end };
  }

  it("tries again until it works", async () => {
    const call = vi.fn().mockRejectedValueOnce(gone()).mockRejectedValueOnce(away(503, 3)).mockResolvedValue("there");
    const { again, end } = run(call);
    await vi.advanceTimersByTimeAsync(500 + 2999);
    expect(call).toHaveBeenCalledTimes(2);
    await vi.advanceTimersByTimeAsync(1);
    expect(await end).toBe("there");
    expect(again.mock.calls).toEqual([[1], [2]]);
  });

  it("gives up after a minute, with the last problem", async () => {
    const call = vi.fn(() => Promise.reject(away(502)));
    const { end } = run(call);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(await end).toMatchObject({ problem: { status: 502 } });
    const tries = call.mock.calls.length;
    expect(tries).toBeGreaterThan(8);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(call).toHaveBeenCalledTimes(tries);
  });

  it.each([away(422), new DOMException("stopped", "AbortError")])("does not repeat what will not pass: %s", async (error) => {
    const call = vi.fn(() => Promise.reject(error));
    expect(await run(call).end).toBe(error);
    expect(call).toHaveBeenCalledOnce();
  });

  it("stops at once when it is aborted", async () => {
    const call = vi.fn(() => Promise.reject(gone()));
    const { abort, end } = run(call);
    await vi.advanceTimersByTimeAsync(100);
    abort.abort();
    expect(await end).toBe(abort.signal.reason);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(call).toHaveBeenCalledOnce();
  });
});
