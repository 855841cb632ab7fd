"""The fake cluster's slurmctld and slurmd in one: jobs wait for a slot, run as processes, and end as they are told."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from master_daemon.cluster.fake_slurm.job import Job, Node, Wish
from master_daemon.cluster.fake_slurm.program import Program, Streams


class Controller:
    """Every method may be called from any thread; `tick` does what time brings. Times are the cluster clock's."""

    def __init__(self, spool: Path, nodes: Sequence[Node]) -> None:
        self.nodes = {node.name: node for node in nodes}
        self.kill_wait_s = 2.0
        """From SIGTERM to SIGKILL (slurm.conf's KillWait)."""
        self.requeue_delay_s = 1.0
        """A requeued job waits for so long (BeginTime)."""
        self.start_delay_s = 0.0
        """Jobs wait at least so long, as they do for slurmctld's next scheduling round."""
        self.min_job_age_s = 300.0
        """Ended jobs are listed for so long (slurm.conf's MinJobAge)."""
        self.clock_offset_s = 0.0
        """How far the cluster's clock is ahead of this machine's."""
        self.held: set[str] = set()
        """Partitions in which nothing starts: their jobs wait for Resources."""
        self.keeps_accounts = False
        """Whether sacct answers."""
        self._spool = spool
        self._jobs: dict[int, Job] = {}
        self._programs: dict[int, Program] = {}
        self._streams: dict[int, Streams] = {}
        self._kill_at: dict[int, float] = {}
        self._warned: set[int] = set()
        self._forgotten: set[int] = set()
        self._last_id = 0
        self._lock = threading.RLock()

    # ---- look

    def now(self) -> float:
        """The cluster's clock."""
        return time.time() + self.clock_offset_s

    @property
    def jobs(self) -> list[Job]:
        """All jobs ever, oldest first."""
        with self._lock:
            return list(self._jobs.values())

    def listed(self) -> list[Job]:
        """The jobs that slurmctld has not forgotten yet."""
        now = self.now()
        known = [job for job in self.jobs if job.job_id not in self._forgotten]
        return [job for job in known if job.ended is None or now - job.ended < self.min_job_age_s]

    def job(self, job_id: int) -> Job:
        """Raises KeyError."""
        with self._lock:
            return self._jobs[job_id]

    def pid(self, job_id: int) -> int:
        """The job's process, which leads a group of its own. Raises KeyError when none runs."""
        with self._lock:
            return self._programs[job_id].pid

    def expected_start(self, job: Job) -> float | None:
        """When the first running job of the partition reaches its limit; None where nothing can be said."""
        if job.state != "PENDING" or job.wish.partition in self.held:
            return None
        ends = [other.ends for other in self.jobs if other.wish.partition == job.wish.partition and other.node]
        return min((end for end in ends if end is not None and end > self.now()), default=None)

    def has_room(self, partition: str) -> bool:
        """Whether a job could start now."""
        return partition not in self.held and self._free(partition) is not None

    # ---- what users ask for

    def submit(self, wish: Wish, streams: Streams | None = None) -> Job:
        """Queue a job. With `streams` it starts at once, if it can."""
        with self._lock:
            self._last_id += 1
            eligible = self.now() + (0 if streams else self.start_delay_s)
            reason = "JobHeldUser" if wish.held else "None"
            job = Job(self._last_id, wish, self.now(), reason=reason, eligible=eligible)
            self._jobs[job.job_id] = job
            if streams:
                self._streams[job.job_id] = streams
                self._schedule()
            return self._jobs[job.job_id]

    def end(self, job_id: int, state: str, reason: str = "None", grace_s: float | None = None) -> None:
        """End a job in a terminal `state`: SIGTERM, and SIGKILL after `grace_s` (KillWait). An ended one stays so."""
        with self._lock:
            job = self._jobs[job_id]
            if not job.live:
                return
            if job_id not in self._programs:
                self._put(replace(job, state=state, reason=reason, ended=self.now()))
                return
            self._put(replace(job, state="COMPLETING", verdict=job.verdict or (state, reason)))
            grace = self.kill_wait_s if grace_s is None else grace_s
            self._programs[job_id].signal(signal.SIGTERM if grace else signal.SIGKILL)
            self._kill_at.setdefault(job_id, time.monotonic() + grace)

    def requeue(self, job_id: int, grace_s: float | None = None) -> None:
        """The same ID runs again from its script's first line."""
        self.end(job_id, "PENDING", "BeginTime", grace_s)

    def hold(self, job_id: int, held: bool = True) -> None:
        """scontrol hold and release."""
        with self._lock:
            job = self._jobs[job_id]
            if job.state == "PENDING":
                self._put(replace(job, wish=replace(job.wish, held=held), reason="JobHeldUser" if held else "None"))

    # ---- what happens to machines

    def set_node(self, name: str, state: str) -> None:
        """`up`, `drained`, or `down`: every job on it is gone at once, as when the power fails."""
        with self._lock:
            self.nodes[name] = replace(self.nodes[name], state=state)
            for job in self.jobs if state == "down" else ():
                if job.node == name and job.job_id in self._programs:
                    again = job.wish.requeue and job.wish.script is not None
                    self.end(job.job_id, *(("PENDING", "NodeDown") if again else ("NODE_FAIL", "NodeDown")), grace_s=0)

    def forget(self, job_id: int) -> None:
        """slurmctld lost the record, as after a restart from an old state; what runs goes on."""
        self._forgotten.add(job_id)

    def remember(self, job_id: int) -> None:
        """The record is found again."""
        self._forgotten.discard(job_id)

    def stop(self) -> None:
        """Kill every process of every job."""
        with self._lock:
            for program in self._programs.values():
                program.end()
            self._programs.clear()

    # ---- what time brings

    def tick(self) -> None:
        """Bury what has ended, end what is overdue, start what can start."""
        with self._lock:
            for job_id, program in list(self._programs.items()):
                code = program.poll()
                if code is not None:
                    self._bury(job_id, code)
                else:
                    self._watch(self._jobs[job_id], program)
            self._schedule()

    def _bury(self, job_id: int, code: int) -> None:
        del self._programs[job_id]
        self._kill_at.pop(job_id, None)
        self._warned.discard(job_id)
        job = self._jobs[job_id]
        state, reason = job.verdict or (("COMPLETED", "None") if code == 0 else ("FAILED", "NonZeroExitCode"))
        if state != "PENDING":
            self._put(replace(job, state=state, reason=reason, ended=self.now(), exit_code=code))
            return
        self._put(
            replace(
                job,
                state="PENDING",
                reason=reason,
                node="",
                started=None,
                verdict=None,
                restarts=job.restarts + 1,
                eligible=self.now() + self.requeue_delay_s,
            )
        )

    def _watch(self, job: Job, program: Program) -> None:
        if job.job_id in self._kill_at:
            if time.monotonic() >= self._kill_at[job.job_id]:
                program.signal(signal.SIGKILL)
            return
        left = float("inf") if job.ends is None else job.ends - self.now()
        notice = job.wish.notice
        if left <= 0:
            self.end(job.job_id, "TIMEOUT", "TimeLimit")
        elif notice and left <= notice.before_s and job.job_id not in self._warned:
            self._warned.add(job.job_id)
            program.signal(notice.number)

    def _schedule(self) -> None:
        """First come, first served, for each partition."""
        blocked: set[str] = set(self.held)
        for job in self.jobs:
            if job.state != "PENDING" or job.wish.held or self.now() < job.eligible:
                continue
            node = None if job.wish.partition in blocked else self._free(job.wish.partition)
            if node is None:
                reason = "Priority" if job.wish.partition in blocked - self.held else "Resources"
                blocked.add(job.wish.partition)
                self._put(replace(job, reason=reason))
            else:
                self._start(replace(job, state="RUNNING", reason="None", node=node.name, started=self.now()))

    def _start(self, job: Job) -> None:
        self._put(job)
        if job.wish.script is None and not job.wish.argv:
            return  # an allocation without a program
        try:
            self._programs[job.job_id] = Program(job, self._spool, self._streams.get(job.job_id))
        except OSError as error:
            self._put(replace(job, state="FAILED", reason=f"RaisedSignal ({error})", ended=self.now(), exit_code=1))

    def _free(self, partition: str) -> Node | None:
        busy = [job.node for job in self.jobs if job.live and job.node]
        nodes: Iterable[Node] = (node for node in self.nodes.values() if node.partition == partition)
        return next((node for node in nodes if node.state == "up" and busy.count(node.name) < node.slots), None)

    def _put(self, job: Job) -> None:
        self._jobs[job.job_id] = job
