/** Trying again what failed for a passing reason: a part of the service restarts, the network is away for a moment. */
import { ProblemError, slug } from "./problem";
import type { Problem } from "./problem";

const PATIENCE_MS = 60_000; // a web server that is replaced is back within seconds, one that waits for a node is not
const FIRST_PAUSE_MS = 500;
const LAST_PAUSE_MS = 8000;

/** Will it pass? No answer at all, or one that says that a part of the service is away. */
export const passing = ({ status }: Problem): boolean => [0, 502, 503, 504].includes(status);

/** Will it pass, and has nothing been done yet? The gateway had no web server to hand the request to. */
export const unsent = (problem: Problem): boolean => slug(problem) === "frontend-not-ready";

/** Milliseconds before try `tries` + 1, as the service wishes but not sooner than is polite; null: time to give up. */
export function pauseMs(tries: number, retryAfterS: number | null, elapsedMs: number): number | null {
  const own = Math.min(FIRST_PAUSE_MS * 2 ** (tries - 1), LAST_PAUSE_MS);
  const pause = Math.max(own, (retryAfterS ?? 0) * 1000);
  return elapsedMs + pause <= PATIENCE_MS ? pause : null;
}

/** Waits; rejects with the signal's reason as soon as it is aborted. */
function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => (clearTimeout(timer), reject(signal?.reason));
    const timer = setTimeout(() => (signal?.removeEventListener("abort", stop), resolve()), ms);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
  });
}

export interface Patience {
  /** Problems after which it is tried again. */
  when: (problem: Problem) => boolean;
  /** Hears how often it was tried. */
  again?: (tries: number) => void;
  signal?: AbortSignal;
}

/**
 * `call()`, again while it fails with such a problem and a minute is not over. Throws the last ProblemError then, any
 * other at once, and the signal's reason when aborted.
 */
export async function patiently<T>(call: () => Promise<T>, { when, again, signal }: Patience): Promise<T> {
  const begun = Date.now();
  for (let tries = 1; ; tries++) {
    try {
      return await call();
    } catch (error) {
      const known = error instanceof ProblemError && when(error.problem);
      const pause = known ? pauseMs(tries, error.retryAfterS, Date.now() - begun) : null;
      if (pause === null) throw error;
      again?.(tries);
      await sleep(pause, signal);
    }
  }
}
