/** The service's event stream: named events in, facts out. */
import type { Fact } from "./state";
import type { Notices } from "./wire";

export const NAMES = ["on-ready", "on-queue", "on-progress", "on-result", "on-error"] as const;
const CLOSED = 2; // EventSource.CLOSED
const FIRST_RETRY_MS = 1000;
const LAST_RETRY_MS = 15000;
const OPENING_MS = 30_000; // the line may have died without a word
const SILENCE_MS = 8500; // the service says something every 4 s

export interface Listener {
  /** The stream stands (again): read everything, events may have been missed. */
  opened(): void;
  /** The stream broke; it is being opened again. */
  lost(): void;
  fact(fact: Fact): void;
  /** Operators tell everybody something else than before. */
  notices(said: Notices): void;
  /** The service cannot replay what was missed: read everything. */
  resync(): void;
}

/** What is used of an EventSource. */
export interface Source extends EventTarget {
  readonly readyState: number;
  close(): void;
}

/**
 * Listens until the returned function is called. The browser reopens a broken stream itself (with Last-Event-ID); a
 * stream that was refused is closed for good, so that one is opened anew, at growing intervals. One that falls silent is
 * as good as broken, though no browser notices: the service hangs, or the network swallows what it says.
 */
export function listen(url: string, listener: Listener, open: (url: string) => Source = (at) => new EventSource(at)): () => void {
  let retryMs = FIRST_RETRY_MS;
  let timer: ReturnType<typeof setTimeout> | undefined;
  let source = connect();

  function connect(): Source {
    const stream = open(url);
    const on = (name: string, hear: (event: Event) => void) =>
      stream.addEventListener(name, (event) => {
        after(SILENCE_MS, silent);
        hear(event);
      });
    on("open", () => {
      retryMs = FIRST_RETRY_MS;
      listener.opened();
    });
    on("keepalive", () => undefined);
    on("resync", () => listener.resync());
    on("on-notice", (event) => listener.notices(parsed<Notices>(event)));
    for (const name of NAMES) on(name, (event) => listener.fact(read(name, event)));
    stream.addEventListener("error", () => {
      clearTimeout(timer);
      listener.lost();
      if (stream.readyState === CLOSED) after(retryMs, again);
    });
    after(OPENING_MS, silent);
    return stream;
  }

  /** There is one thing to wait for at a time. */
  function after(ms: number, then: () => void): void {
    clearTimeout(timer);
    timer = setTimeout(then, ms);
  }

  function silent(): void {
    source.close();
    listener.lost();
    source = connect();
  }

  function again(): void {
    retryMs = Math.min(retryMs * 2, LAST_RETRY_MS);
    source = connect();
  }

  return () => {
    clearTimeout(timer);
    source.close();
  };
}

const read = (name: (typeof NAMES)[number], event: Event): Fact =>
  ({ name, data: parsed(event) }) as Fact;

const parsed = <T>(event: Event): T => JSON.parse((event as MessageEvent<string>).data) as T;
