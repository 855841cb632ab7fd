"""Many open pages, each with its event stream: how quickly an event reaches them, and what that takes.

- daemon: the gateway as it runs, a session for each page; a burst is one stored transaction with one event for each;
- nginx: the usual reverse proxy (unbuffered, HTTP/1.1) before an asyncio server that does nothing but write one event
  to every stream; it stores nothing and knows no sessions;
- bare: that server without nginx, the floor.

The same client opens the same number of pages at each, in one process, from addresses of this machine only. Times are
milliseconds from the moment of emission (for the daemon: its commit) until the client has read the event; each burst
counts every page. `stored_one_by_one` is the daemon with a transaction of its own for every event, as results come in.

nginx is installed by apt when it is missing and this is root; without it its row is left out.

    python benchmarks/events.py [--json] [--pages 1000] [--bursts 20]
"""

from __future__ import annotations

import asyncio

import uvloop
from _nginx import before, nginx
from _process import Emitter, allow_open_files, emitter
from _report import Figures, machine, parser_of, resident_mib, show, summary
from _sse_pages import Pages


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--pages", type=int, default=1000)
    parser.add_argument("--bursts", type=int, default=20)
    arguments = parser.parse_args()
    allow_open_files()
    show(measure(arguments.pages, arguments.bursts), arguments.json)


def measure(pages: int, bursts: int) -> Figures:
    figures: Figures = {"machine": machine(), "pages": pages}
    with emitter("_sse_emitter.py") as bare:
        figures["bare"] = uvloop.run(deliver(bare, bare.url, pages, bursts, bare.process.pid))
        with nginx(before(bare.url)) as proxy:
            if proxy is None:
                figures["nginx"] = "left out: it is not installed here"
            else:
                figures["nginx"] = uvloop.run(deliver(bare, proxy.url, pages, bursts, proxy.process.pid))
    with emitter("_sse_daemon.py", str(pages)) as daemon:
        figures["daemon"] = uvloop.run(deliver(daemon, daemon.url, pages, bursts, daemon.process.pid, "tasks"))
    return figures


async def deliver(emitter: Emitter, url: str, count: int, bursts: int, server: int, one_by_one: str = "") -> Figures:
    """Figures of one server, which is the process `server`; nginx has children."""
    children = url != emitter.url
    empty = resident_mib(server, children)
    pages = Pages(url, emitter.cookies, count)
    await pages.open()
    try:
        delays = [delay for _ in range(bursts) for delay in await _burst(emitter, pages, "burst")]
        figures: Figures = {"burst_ms": summary(delays)}
        if one_by_one:
            figures["stored_one_by_one_ms"] = summary(await _burst(emitter, pages, one_by_one))
        figures["resident_mib"] = {"empty": empty, "with_pages": resident_mib(server, children)}
    finally:
        pages.close()
    return figures


async def _burst(emitter: Emitter, pages: Pages, word: str) -> list[float]:
    """Milliseconds from emission to arrival; emissions and arrivals of a burst are paired in order."""
    telling = asyncio.create_task(asyncio.to_thread(emitter.tell, word))
    arrived = await pages.take()
    sent = await telling
    await asyncio.sleep(0.05)  # a burst of its own, not the tail of the last
    return [(end - begin) * 1000 for begin, end in zip(sorted(sent), sorted(arrived), strict=True)]


if __name__ == "__main__":
    main()
