"""Handover before the time limit on a real Slurm cluster, under a load that never stops.

    sudo benchmarks/handover.py [--minutes 4] [--limit 120] [--sessions 2] [--every 0.5] [--json]

Backend jobs may run for --limit seconds only. Each session sends a task every half a second, most of them no-ops, some
up to a second long, and a look at the session every 100 ms asks whether it has a ready backend. Printed:

- tasks lost (acknowledged, never ended), failed, refused, shown twice: all have to be 0;
- longest_gap_s: the longest time without a ready backend once the first was ready, to the 0.1 s of the looks;
- longest_stall_s: the longest time in which a task waited while no other of its session was worked on; what a task
  costs when all is well is in it (`round_trip_ms`);
- handovers, jobs used, and the most jobs at once, which may be two for each session.

The timeline goes to build/handover.svg. The issue's own run is `--minutes 15`. It needs root on Debian 12 for
slurm/test-cluster, and ends every job that it started, on Ctrl-C too.
"""

from __future__ import annotations

import time

from _cluster import Site, cluster
from _gpu_time import Held, gpu_time
from _load import Person, counts, longest_gap, lost_at, round_trips, stalls, under_load
from _plot import write_timeline
from _report import BUILD, Figures, machine, parser_of, show

_PLOT = BUILD / "handover.svg"
_PATIENCE = 60.0
"""Seconds until an acknowledged task that has not ended counts as lost."""


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--minutes", type=float, default=4)
    parser.add_argument("--limit", type=int, default=120, help="seconds that a backend job may run (default 120)")
    parser.add_argument("--sessions", type=int, default=2, help="at most half of the cluster's GPUs (default 2)")
    parser.add_argument("--every", type=float, default=0.5, help="seconds between a session's tasks (default 0.5)")
    arguments = parser.parse_args()
    site: Site = {"backend": {"time_limit": arguments.limit}}
    with cluster() as slurm, slurm.ligan(site) as system, gpu_time() as held:
        with under_load(system.url, arguments.sessions, arguments.every, _PATIENCE) as crowd:
            time.sleep(arguments.minutes * 60)
        figures = {"machine": machine(slurm=True), "minutes": arguments.minutes, **measure(crowd, held)}
    title = (
        f"{figures['handovers']} handovers, longest gap {figures['longest_gap_s']} s, lost {figures['tasks']['lost']}"
    )
    write_timeline(crowd, title, _PLOT)
    show({**figures, "plot": str(_PLOT)}, arguments.json)


def measure(crowd: list[Person], held: Held) -> Figures:
    last = [max((look.generation for look in person.looks), default=1) for person in crowd]
    return {
        "tasks": counts(crowd),
        "lost_at_s": lost_at(crowd)[:5],
        "longest_gap_s": round(max(map(longest_gap, crowd)), 2),
        "longest_stall_s": round(max(wait for person in crowd for _, wait in stalls(person)), 2),
        "round_trip_ms": round_trips(crowd),
        "handovers": sum(generation - 1 for generation in last),
        "jobs": {"used": len(held.jobs), "most_at_once": held.most_at_once, "gpu_seconds": round(held.seconds)},
        "refusals": [reason for person in crowd for reason in person.refused][:5],
    }


if __name__ == "__main__":
    main()
