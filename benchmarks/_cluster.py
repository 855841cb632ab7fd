"""The real test cluster for benchmarks: the daemon as its ordinary user starts it, and what the scheduler counted."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, NoReturn

from _report import ROOT

sys.path.insert(0, str(ROOT))

from tests.cluster_fixture import SCRIPT, USER, SlurmCluster
from tests.site_file import Table, on_cluster, write_site
from tests.system.running import System, ligan_up

Site = Table
_LONG_JOBS: Site = {"frontend": {"time_limit": 3600}, "backend": {"cpus": 1, "time_limit": 1800}}
"""Nothing is handed over within a measurement."""
_COUNT = re.compile(r"^\s+(\S+)\s+\(\s*\d+\)\s+count:(\d+)", re.MULTILINE)
_ROOM = "bench"
_GONE_TIMEOUT = 30.0
"""Seconds: a job that does not go by itself is cancelled by the daemon after 10, and killed within 2."""
_OF_OTHERS = ("INFO", "PING", "STATS", "REQUEST_CONFIG", "COMPLETE_BATCH", "STEP_COMPLETE", "MESSAGE_", "UPDATE_PART")
"""Kinds of calls that no job of ours costs: listings, what nodes say, and the partition made for the benchmark."""
_LAST_LINES = 40
"""Of the daemon's output, shown when a measurement fails."""


class Cluster(SlurmCluster):
    """The cluster that is up. Jobs are the ordinary user's; the caller is root."""

    @contextmanager
    def user_folder(self) -> Iterator[Path]:
        """A fresh folder of the ordinary user that all nodes see."""
        folder = Path(tempfile.mkdtemp(prefix="ligan-bench-"))
        try:
            shutil.chown(folder, USER, USER)
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    @contextmanager
    def only_its_jobs(self) -> Iterator[None]:
        """Cancel every job that the block left behind, whatever ended it, and wait for its end."""
        before = self.job_ids()
        try:
            yield
        finally:
            left = self.job_ids("PENDING,RUNNING") - before  # not those that are on their way out
            if left:
                subprocess.run(["scancel", *left], check=False)
            self.wait_gone(lambda: self.job_ids() - before)

    def wait_gone(self, jobs: Callable[[], set[str]]) -> None:
        """Until there are none of these. Raises TimeoutError."""
        deadline = time.monotonic() + _GONE_TIMEOUT
        while left := jobs():
            if time.monotonic() > deadline:
                raise TimeoutError(f"jobs that do not end: {left}")
            time.sleep(0.1)

    def job_ids(self, states: str = "PENDING,RUNNING,COMPLETING") -> set[str]:
        """Jobs of the ordinary user that have not ended."""
        argv = ["squeue", "--noheader", f"--user={USER}", f"--states={states}", "--format=%i"]
        return set(subprocess.run(argv, capture_output=True, text=True, check=True).stdout.split())

    @contextmanager
    def ligan(self, site: Site) -> Iterator[System]:
        """`ligan up` by the ordinary user on the login node, with `site` over what the cluster needs."""
        *environment, python = self.user_python()
        with self.user_folder() as folder, self.only_its_jobs():
            file = write_site(folder / "site.toml", on_cluster(self), _LONG_JOBS, site)
            command = self.user_argv(*environment, python, "-m", "ligan")
            with ligan_up(folder / "state", "--config", str(file), command=command) as system, listening(system):
                yield system

    @contextmanager
    def roomy_partition(self) -> Iterator[str]:
        """A partition for as long as the block: all nodes, and many jobs for each core."""
        words = [f"PartitionName={_ROOM}", "Nodes=ALL", "OverSubscribe=FORCE:16", "MaxTime=60"]
        subprocess.run(["scontrol", "create", *words], check=True, capture_output=True)
        try:
            yield _ROOM
        finally:
            subprocess.run(["scontrol", "delete", f"PartitionName={_ROOM}"], check=False, capture_output=True)


@contextmanager
def listening(system: System) -> Iterator[None]:
    """Read what the daemon says, lest its pipe fills up and holds it; when the block fails, show the end of it."""
    assert system.process.stdout is not None
    said: deque[bytes] = deque(maxlen=_LAST_LINES)
    reader = threading.Thread(target=_collect, args=(system.process.stdout, said), daemon=True)
    reader.start()
    try:
        yield
    except Exception:
        print(b"".join(said).decode(errors="replace"), file=sys.stderr)
        raise
    finally:
        if system.process.poll() is None:
            system.interrupt()
        reader.join(5)


def _collect(stream: IO[bytes], said: deque[bytes]) -> None:
    for line in stream:
        said.append(line)


@contextmanager
def cluster() -> Iterator[Cluster]:
    """Bring the test cluster up, or use the one that is up, which then stays.

    Ends the program, with a sentence and without an error, where this machine cannot have one.
    """
    if os.geteuid() != 0:
        _leave_out("only root can start the Slurm test cluster (slurm/test-cluster): use sudo")
    was_up = subprocess.run([SCRIPT, "status"], capture_output=True).returncode == 0
    up = subprocess.run([SCRIPT, "up", "--user", USER], capture_output=True, text=True)
    if up.returncode:
        _leave_out(f"no Slurm test cluster on this machine: {up.stderr.strip()}")
    try:
        yield Cluster(_environment())
    finally:
        if not was_up:
            subprocess.run([SCRIPT, "down"], check=True)


def _leave_out(why: str) -> NoReturn:
    print(f"left out: {why}", file=sys.stderr)
    raise SystemExit(0)


def rpcs() -> tuple[int, dict[str, int]]:
    """Calls to slurmctld since it counts: those of the ordinary user, and all by type. sdiag(1)."""
    said = subprocess.run(["sdiag"], capture_output=True, text=True, check=True).stdout
    types, _, users = said.partition("Remote Procedure Call statistics by user")
    return dict(_counts(users)).get(USER, 0), dict(_counts(types))


def asked() -> Counter[str]:
    """Calls for single jobs' sake, by kind: those of sbatch, scancel, and of srun from its start to its end."""
    return Counter({kind: n for kind, n in rpcs()[1].items() if not any(word in kind for word in _OF_OTHERS)})


def _counts(text: str) -> list[tuple[str, int]]:
    return [(name, int(count)) for name, count in _COUNT.findall(text)]


def _environment() -> dict[str, str]:
    text = subprocess.run([SCRIPT, "env"], check=True, capture_output=True, text=True).stdout
    return dict(word.split("=", 1) for word in shlex.split(text))
