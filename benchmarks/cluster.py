"""LiGAN on a real Slurm cluster beside its peers, all in the same run, all as the same ordinary user.

    sudo benchmarks/cluster.py [--json] [--only start|warm|rpcs] [--quick]

start   from asking for a job to its first answer, on an idle cluster, with the manager itself running before.
        LiGAN: `POST start-of-interaction` to the page's `on-ready`, with an engine that needs no torch (peers' workers
        are empty, too), and, apart, with the face model. Peers: asking for one worker to its first trivial result.
        Floor: bare `sbatch` of a shell line that calls back. Goal: the lowest of all managers.
warm    a no-op task from submit to result, with everything running. LiGAN: `POST tasks` to the `on-result` event,
        through the public port and every hop; peers: the call and its result. Goals: 0.5 of Parsl's, 0.1 of dask's.
rpcs    calls to slurmctld a minute (sdiag) while 1, 10 and 50 sessions have ready backends, and in a session's whole
        life besides, by srun and by sbatch. Goals: flat, and at most 3 (slurm/README.md).

Peers are installed on first use under build/peers, with settings that favour them; `what` names version and settings.
One that cannot be installed is left out, and the table says why. It needs root on Debian 12 for slurm/test-cluster,
which is started if it is down, and ends every job that it started, on Ctrl-C too.
"""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from _cluster import Cluster, Site, asked, cluster, rpcs
from _peers import PEERS, LeftOutError, Peer, install, run
from _report import Figures, machine, parser_of, show, timed
from _times import Times
from _visitor import Visitor

from ligan.page import Page

_GPUS = 3
"""Starts with one daemon: each keeps its GPU, and the test cluster has four."""
_AT_ONCE = 5
"""Sessions that ask for their backend together in `rpcs`; more would only wait for this machine's cores."""


@dataclass(frozen=True)
class Effort:
    """How often everything is done."""

    starts: int
    rounds: int
    warm: int
    window_s: float
    crowds: tuple[int, ...]
    lives: tuple[int, ...]


FULL = Effort(starts=9, rounds=3, warm=300, window_s=60, crowds=(1, 10, 50), lives=(5, 10))
QUICK = Effort(starts=2, rounds=1, warm=50, window_s=15, crowds=(1, 5), lives=(5,))


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--only", choices=list(PARTS), help="one of the parts")
    parser.add_argument("--quick", action="store_true", help="few repetitions, to see that everything works")
    arguments = parser.parse_args()
    effort = QUICK if arguments.quick else FULL
    figures: Figures = {}
    with cluster() as slurm:
        figures["machine"] = machine(slurm=True)
        for name, part in PARTS.items():
            if arguments.only in (None, name):
                figures |= part(slurm, effort)
    show(figures, arguments.json)


# ---- start and warm: side by side ------------------------------------------------------------------------------------


def start(slurm: Cluster, effort: Effort) -> Figures:
    """In rounds: a neighbour who comes and goes is met by all."""
    times: dict[str, Times] = {}
    for _ in range(effort.rounds):
        for name, measure in _systems(slurm, effort.starts // effort.rounds).items():
            now = measure()
            times[name] = times[name] + now if name in times else now
    rows = {name: seen.figures("start_ms") for name, seen in times.items()}
    return {"start": rows, "start_over_bare": _over(rows, "start_ms", "bare sbatch")}


def _systems(slurm: Cluster, starts: int) -> dict[str, Callable[[], Times]]:
    systems: dict[str, Callable[[], Times]] = {"LiGAN": partial(_own, slurm, starts, 0, "fake")}
    systems |= {peer.name: partial(_peer, peer, slurm, starts, 1) for peer in PEERS}
    return systems | {"LiGAN, face model": partial(_own, slurm, 1, 0, "appearance")}


def warm(slurm: Cluster, effort: Effort) -> Figures:
    rows = {"LiGAN": _own(slurm, 1, effort.warm, "fake").figures("acknowledged_ms", "warm_ms")}
    with_warm = (peer for peer in PEERS if peer.name in ("dask-jobqueue", "Parsl"))
    rows |= {peer.name: _peer(peer, slurm, 1, effort.warm).figures("warm_ms") for peer in with_warm}
    return {"warm": rows, "warm_over_Parsl": _over(rows, "warm_ms", "Parsl")}


def _own(slurm: Cluster, starts: int, warm: int, engine: str) -> Times:
    times = Times(f"engine {engine}")
    while len(times.start_ms) < starts:
        with slurm.ligan({"backend": {"engine": engine}}) as system:
            for _ in range(min(_GPUS, starts - len(times.start_ms))):
                page = Page(system.url)
                time.sleep(random.random())  # as with the peers: the scheduler turns once a second
                times.start_ms.append(timed(page.wait_ready))
            trips = _round_trips(page, warm)
    times.acknowledged_ms = [acknowledged for acknowledged, _ in trips]
    times.warm_ms = [done for _, done in trips]
    return times


def _round_trips(page: Page, count: int) -> list[tuple[float, float]]:
    if not count:
        return []
    visitor = Visitor(page)
    try:
        for _ in range(10):
            visitor.round_trip()  # connections and caches of every hop
        return [visitor.round_trip() for _ in range(count)]
    finally:
        visitor.close()


def _peer(peer: Peer, slurm: Cluster, starts: int, warm: int) -> Times:
    try:
        install(peer)
        return run(peer, slurm, starts, warm)
    except LeftOutError as error:
        return Times(str(error))


def _over(rows: Figures, figure: str, reference: str) -> Figures:
    """Medians over that of `reference`."""
    medians = {name: row[figure]["median"] for name, row in rows.items() if figure in row}
    if reference not in medians:
        return {}
    return {name: round(median / medians[reference], 2) for name, median in medians.items()}


# ---- calls to the scheduler ------------------------------------------------------------------------------------------


def scheduler_calls(slurm: Cluster, effort: Effort) -> Figures:
    """Calls a minute at each size of the crowd, and those of a session's life."""
    with slurm.roomy_partition() as room:
        return {
            "rpcs_a_minute": _calls_a_minute(slurm, room, effort),
            "life_of_a_session": {way: _life(slurm, room, way, effort) for way in ("auto", "never")},
        }


def _site(room: str, immediate: str = "auto") -> Site:
    return {"backend": {"partition": room, "gres": "", "idle_release_s": 3600, "immediate": immediate}}


def _calls_a_minute(slurm: Cluster, room: str, effort: Effort) -> Figures:
    with slurm.ligan(_site(room)) as system:
        pages: list[Page] = []
        rows: Figures = {}
        for size in effort.crowds:
            pages += _ready_pages(system.url, size - len(pages))
            rows[str(size)] = _calls_in(effort.window_s)
        return rows


def _life(slurm: Cluster, room: str, immediate: str, effort: Effort) -> Figures:
    """A session alone: what n sessions cost more than one does, over n - 1. The rest is the frontend's, and the
    daemon's own: its first look around, and its end.
    """
    site = _site(room, immediate)
    one = _lives(slurm, site, 1)
    rows: Figures = {"1": {"with_all_else": sum(one.values()), "by_kind": dict(one)}}
    for size in effort.lives:
        many = _lives(slurm, site, size)
        more = {kind: round((many[kind] - one[kind]) / (size - 1), 2) for kind in many | one}
        rows[str(size)] = {
            "a_session": round(sum(more.values()), 2),
            "a_session_by_kind": {kind: count for kind, count in more.items() if count},
            "with_all_else": round(sum(many.values()) / size, 2),
            "by_kind": dict(many),
        }
    return rows


def _lives(slurm: Cluster, site: Site, size: int) -> Counter[str]:
    """Calls for jobs' sake while a daemon comes, `size` people have a backend each and go, and it ends."""
    before = asked()
    with slurm.ligan(site) as system:
        others = slurm.job_ids()
        for page in _ready_pages(system.url, size):  # as people go; Ctrl-C would have the scheduler cancel what is left
            page.http.delete(f"{page.url}/api/v1/session", timeout=30).raise_for_status()
        slurm.wait_gone(lambda: slurm.job_ids() - others)
    return asked() - before


def _ready_pages(url: str, count: int) -> list[Page]:
    def ready(_: int) -> Page:
        page = Page(url)
        page.wait_ready()
        return page

    with ThreadPoolExecutor(_AT_ONCE) as together:
        return list(together.map(ready, range(count)))


def _calls_in(window_s: float) -> Figures:
    time.sleep(6)  # until the last start's own listings are over: a busy poll follows within 5 s
    ours, kinds = rpcs()
    time.sleep(window_s)
    ours_then, kinds_then = rpcs()
    changed = {name: count - kinds.get(name, 0) for name, count in kinds_then.items() if "INFO" in name}
    return {
        "a_minute": round((ours_then - ours) * 60 / window_s, 1),
        "listings": {name: count for name, count in changed.items() if count},
        "window_s": window_s,
    }


PARTS: dict[str, Callable[[Cluster, Effort], Figures]] = {"start": start, "warm": warm, "rpcs": scheduler_calls}


if __name__ == "__main__":
    main()
