"""The main job in figures, each beside its floor in the same run.

- start: `POST start-of-interaction` to `on-ready`, beside a bare process that imports and loads the same and exits;
- no-op: a warm task that does nothing through the whole chain, beside the same function called in this process, and
  through a chain with TLS between all parts;
- page: a warm page of 16 faces for a photo seen before, from the click to the result event;
- memory: resident set of daemon and frontend after all that.

    python benchmarks/main_job.py [--json] [--starts 3] [--noops 200] [--pages 20]
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
from _report import ROOT, machine, parser_of, show, summary, timed
from _visitor import Visitor

from ligan.page import Page
from ligan.problem import Problem

sys.path.insert(0, str(ROOT))

from tests.system.photos import portrait
from tests.system.running import System, ligan_up

FLOOR = """
from backend_container.models.detector import FaceDetector
from backend_container.models.loader import load_engine
load_engine("appearance", None, "cpu"); FaceDetector()
"""


def main() -> None:
    parser = parser_of(__doc__)
    parser.add_argument("--starts", type=int, default=3)
    parser.add_argument("--noops", type=int, default=200)
    parser.add_argument("--pages", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ligan_up(Path(folder) / "state") as system:
        figures = measure(system, arguments.starts, arguments.noops, arguments.pages)
        figures["noop_over_tls_ms"] = summary(noops_over_tls(arguments.noops))
    show(figures, arguments.json)


def measure(system: System, starts: int, noops: int, pages: int) -> dict[str, Any]:
    """All figures; times in milliseconds, memory in MiB."""
    floors = [timed(bare_process) for _ in range(starts)]
    readies, page = [], Page(system.url)
    for _ in range(starts):
        page = Page(system.url)
        readies.append(timed(page.wait_ready))
    through_chain = round_trips(page, noops)
    in_process = [timed(noop_in_process) for _ in range(noops)]
    image = page.upload(portrait("JPEG")).image_id
    page.wait_task(page.submit("similar", image=image))
    clicks = task_times(page, [{"kind": "similar", "image": image, "page": number} for number in range(2, pages + 2)])
    return {
        "machine": machine(),
        "start_to_ready_ms": summary(readies),
        "start_floor_ms": summary(floors),
        "start_over_floor": round(statistics.median(readies) / statistics.median(floors), 2),
        "noop_round_trip_ms": summary(through_chain),
        "noop_in_process_ms": summary(in_process),
        "page_of_16_ms": summary(clicks),
        "resident_mib": resident(system),
    }


def bare_process() -> None:
    """The floor of a start: a process that imports and loads what a backend does."""
    subprocess.run([sys.executable, "-c", FLOOR], check=True, cwd=ROOT)


def noop_in_process() -> None:
    from backend_container.tasks.noop import Params, noop

    noop.run(None, Params())  # type: ignore[arg-type]  # it does not look at its context


def round_trips(page: Page, count: int) -> list[float]:
    """Milliseconds from each submit to its result event, by a client that costs little itself."""
    visitor = Visitor(page)
    try:
        for _ in range(10):
            visitor.round_trip()  # connections and caches of every hop
        return [done for _, done in (visitor.round_trip() for _ in range(count))]
    finally:
        visitor.close()


def noops_over_tls(count: int) -> list[float]:
    """As `round_trips`, by a system of its own."""
    with tempfile.TemporaryDirectory() as folder:
        site = Path(folder) / "site.toml"
        site.write_text('[tls]\nbetween_parts = "always"\n')
        with ligan_up(Path(folder) / "state", "--config", str(site)) as system:
            page = Page(system.url)
            page.wait_ready()
            return round_trips(page, count)


def task_times(page: Page, tasks: list[dict[str, Any]]) -> list[float]:
    """Milliseconds from each submit to its result event on one open stream."""
    times = []
    stream = page.events(600.0, page.session_event_id())
    for task in tasks:
        begin = time.perf_counter()
        task_id = page.submit(task["kind"], **{name: value for name, value in task.items() if name != "kind"})
        for event in stream:
            if event.data.get("task_id") == task_id and event.name in ("on-result", "on-error"):
                if event.name == "on-error":
                    raise Problem("internal-error", str(event.data))
                break
        times.append((time.perf_counter() - begin) * 1000)
    return times


def resident(system: System) -> dict[str, float]:
    """MiB of the daemon and of the frontend job."""
    daemon = psutil.Process(system.process.pid)
    jobs = [
        process for process in psutil.process_iter(["cmdline"]) if "frontend_server" in (process.info["cmdline"] or [])
    ]
    mine = [job for job in jobs if job.ppid() != 1 and "timeout" not in job.name()]
    return {
        "daemon": round(daemon.memory_info().rss / 2**20, 1),
        "frontend": round(max(job.memory_info().rss for job in mine) / 2**20, 1),
    }


if __name__ == "__main__":
    main()
