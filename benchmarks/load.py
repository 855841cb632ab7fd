"""Many people at the page for a while: what goes wrong (nothing may), how long they wait, and what grows (nothing may).

    sudo benchmarks/load.py --users 200 --minutes 10 [--manager slurm] [--pool 4] [--json]
    benchmarks/load.py --manager local --users 5 --minutes 0.2 [--tls always]

Each person opens the page (start page, assets, event stream, session, kinds, tasks), asks for a backend, sends a photo,
and asks for pages of 16 fillers, looking at each for a while (`--think`, 15 s in the mean, seeded). Now and then they
reload in the middle of a task, lose the line for a second, change their mind, go away and come back, or have everything
erased and begin anew. They are logged in through the site's proxy (`accounts.mode = "header"`), so that limits hold.

`errors` counts every unexpected status or cut connection, every event that is missing or comes twice, every task
without its one end, images that are not whole, streams that break: it has to be 0. Latencies are the crowd's own, in
milliseconds; `told` is from the end of a task in the database to the arrival of its event at the page.

Memory is sampled every 5 s and shown for each minute, the last time half a minute after all have gone. Its growth is
the slope of a line through the time after the first third, when everybody has come, and that of its second half alone:
caches that fill up late show in the first half, what leaks in both.

The site is what one with few GPUs would choose: `pool` mode, here with engine `fake`, for all of it shares this
machine's cores. On slurm/test-cluster it needs root, and ends every job that it started. One process is all people,
`crowd_cores` says what it costs.
"""

from __future__ import annotations

import asyncio
import random
import re
import sqlite3
import sys
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import uvloop
from _browser import Browser
from _cluster import cluster, listening, rpcs
from _guest import Guest, World
from _ledger import Ledger
from _process import allow_open_files
from _report import ROOT, Figures, amount, count, machine, parser_of, show, summary
from _vitals import Vitals, watch

sys.path.insert(0, str(ROOT))

from tests.frontend_server.pictures import encode
from tests.site_file import Table, write_site
from tests.system.photos import portrait_image
from tests.system.running import System, ligan_up

_PHOTOS = 12
"""Different ones."""
_COME = 0.2
"""Part of the time in which people come, one after the other; two minutes at most."""
_WARM = 1 / 3
"""Part of the time after which memory counts."""
_AFTERWARDS = 30.0
"""Seconds that the parts are watched for when everybody has left."""
_ASSET = re.compile(rb'"(/assets/[^"]+)"')


def main() -> None:
    arguments = _arguments()
    allow_open_files()
    site: Table = {
        "accounts": {"mode": "header", "trusted_proxies": ["127.0.0.1"], "user_header": "X-Remote-User"},
        "backend": {"mode": "pool", "pool_size": arguments.pool, "engine": "fake", "slots": arguments.pool},
        "tls": {"between_parts": arguments.tls},
    }
    run = _on_slurm if arguments.manager == "slurm" else _here
    with run(site) as (system, calls), watch(system.state_dir) as vitals:
        figures = measure(system, vitals, arguments)
        figures["slurmctld_rpcs"] = calls()
    show({"machine": machine(), **figures}, arguments.json)
    sys.exit(1 if figures["errors"] else 0)


def _arguments() -> Namespace:
    parser = parser_of(__doc__)
    parser.add_argument("--users", type=count, default=200)
    parser.add_argument("--minutes", type=amount, default=2, help="from the first one's coming (default 2)")
    parser.add_argument("--manager", choices=("slurm", "local"), default="slurm")
    parser.add_argument("--pool", type=count, default=4, help="backends; at most the cluster's GPUs (default 4)")
    parser.add_argument("--tls", choices=("auto", "always"), default="auto", help="the site's `tls.between_parts`")
    parser.add_argument("--think", type=amount, default=15, help="seconds at a page, in the mean (default 15)")
    parser.add_argument("--seed", type=int, default=0, help="of everything that is decided by chance")
    return parser.parse_args()


def measure(system: System, vitals: Vitals, given: Namespace) -> Figures:
    """Everything but what the scheduler counted."""
    own, seconds = psutil.Process(), given.minutes * 60
    before, began = sum(own.cpu_times()[:2]), time.monotonic()
    ledger = uvloop.run(_crowd(system.url, given, seconds))
    lasted = time.monotonic() - began
    cores = (sum(own.cpu_times()[:2]) - before) / lasted
    time.sleep(min(_AFTERWARDS, seconds))
    told = _told(ledger, system.state_dir)
    return {
        "what": f"{given.users} people for {given.minutes:g} min, {given.manager}, pool of {given.pool}, engine fake",
        **ledger.figures(),
        "told_ms": summary(told, 1) if told else {},
        "crowd_cores": round(cores, 2),
        "parts": vitals.figures((seconds * _WARM, seconds)),
    }


async def _crowd(url: str, given: Namespace, seconds: float) -> Ledger:
    """Everybody comes, stays, and leaves."""
    world = World(url, Ledger(), _photos(given.seed), await _assets(url), given.think, asyncio.Event())
    guests = [Guest(world, number, {"X-Remote-User": f"guest-{number}"}, given.seed) for number in range(given.users)]
    coming = min(120.0, seconds * _COME) / max(given.users, 1)
    lives = [asyncio.create_task(guest.live(number * coming)) for number, guest in enumerate(guests)]
    await asyncio.sleep(seconds)
    world.over.set()
    for life in await asyncio.gather(*lives, return_exceptions=True):
        if isinstance(life, BaseException):
            world.ledger.fault(f"a guest of this benchmark broke: {life!r}")
    return world.ledger


async def _assets(url: str) -> Sequence[str]:
    """What the start page names; none where the web UI is not built."""
    page = await Browser(url, {"X-Remote-User": "visitor"}).call("GET", "/")
    return [path.decode() for path in _ASSET.findall(page.body)]


def _photos(seed: int) -> Sequence[bytes]:
    """One person, in as many crops and sizes, as phones send them."""
    chance, portrait = random.Random(seed), portrait_image().resize((1536, 1536))
    return [encode(portrait.crop(_crop(chance)), "JPEG", quality=90) for _ in range(_PHOTOS)]


def _crop(chance: random.Random) -> tuple[int, int, int, int]:
    left, top = chance.randrange(200), chance.randrange(200)
    return left, top, left + 1200, top + 1300


def _told(ledger: Ledger, state_dir: Path) -> list[float]:
    """Milliseconds from each result's moment in the database to its arrival at the page that waited for it."""
    path = f"file:{state_dir / 'ligan.sqlite'}?mode=ro"
    with closing(sqlite3.connect(path, uri=True, timeout=30)) as database:
        ended = dict(database.execute("SELECT task_id, ended_at FROM tasks WHERE state = 'done'").fetchall())
    return [1000 * (at - ended[task_id]) for task_id, at in ledger.ends.items() if task_id in ended]


# ---- where it runs ---------------------------------------------------------------------------------------------------


Calls = Callable[[], Figures]
"""What the scheduler counted meanwhile."""


@dataclass
class _Calls:
    """Of the daemon's user to slurmctld, since it was made."""

    count: int
    began: float

    def __call__(self) -> Figures:
        minutes = (time.monotonic() - self.began) / 60
        return {"a_minute": round((rpcs()[0] - self.count) / minutes, 1), "minutes": round(minutes, 1)}


@contextmanager
def _on_slurm(site: Table) -> Iterator[tuple[System, Calls]]:
    with cluster() as slurm, slurm.ligan(site) as system:
        yield system, _Calls(rpcs()[0], time.monotonic())


@contextmanager
def _here(site: Table) -> Iterator[tuple[System, Calls]]:
    with tempfile.TemporaryDirectory() as folder:
        file = write_site(Path(folder) / "site.toml", site)
        with ligan_up(Path(folder) / "state", "--config", str(file)) as system, listening(system):
            yield system, dict


if __name__ == "__main__":
    main()
