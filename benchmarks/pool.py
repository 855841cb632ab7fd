"""What `pool` mode saves: GPU-seconds for 1,000 tasks, beside a backend for each session, under the same load.

    sudo benchmarks/pool.py [--minutes 1] [--sessions 4] [--pool 1 2] [--every 1] [--json]

The sessions send a task each second, most of them no-ops, some up to a second long. GPU-seconds are those of the
backend jobs as squeue shows them running, from the first session's start to the last task's end. `round_trip_ms` is
what the saving costs the people; behind other tasks of the same backend a task waits its turn, which is in it. It runs
on slurm/test-cluster (root, Debian 12) and ends every job that it started.
"""

from __future__ import annotations

import time
from argparse import Namespace

from _cluster import Cluster, Site, cluster
from _gpu_time import gpu_time
from _load import counts, round_trips, under_load
from _report import Figures, machine, parser_of, show


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--minutes", type=float, default=1, help="of load in each mode (default 1)")
    parser.add_argument("--sessions", type=int, default=4, help="at most the cluster's GPUs (default 4)")
    parser.add_argument("--pool", type=int, nargs="+", default=[1, 2], help="sizes of the pool (default 1 2)")
    parser.add_argument("--every", type=float, default=1, help="seconds between a session's tasks (default 1)")
    arguments = parser.parse_args()
    modes: dict[str, Site] = {"per-session": {"backend": {"mode": "per-session"}}}
    modes |= {f"pool of {size}": {"backend": {"mode": "pool", "pool_size": size}} for size in arguments.pool}
    with cluster() as slurm:
        rows = {name: measure(slurm, site, arguments) for name, site in modes.items()}
        show({"machine": machine(slurm=True), "modes": rows}, arguments.json)


def measure(slurm: Cluster, site: Site, given: Namespace) -> Figures:
    with slurm.ligan(site) as system, gpu_time() as held:
        with under_load(system.url, given.sessions, given.every, 60.0) as crowd:
            time.sleep(given.minutes * 60)
        seconds, jobs = held.seconds, len(held.jobs)
    tasks = counts(crowd)
    return {
        "gpu_seconds_per_1000_tasks": round(1000 * seconds / max(tasks["done"], 1), 1),
        "gpu_seconds": round(seconds),
        "jobs": jobs,
        "tasks": tasks,
        "round_trip_ms": round_trips(crowd),
    }


if __name__ == "__main__":
    main()
