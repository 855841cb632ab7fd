"""A programmable fake Slurm: executables for PATH, answered by a thread of this process, with faults on demand.

with FakeSlurm(folder) as slurm:
    slurm.answers("squeue", fault.HUNG, calls=3)
    subprocess.run(["squeue", "--me"], env={**os.environ, **slurm.environment()})
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from master_daemon.cluster.fake_slurm import commands
from master_daemon.cluster.fake_slurm.call import Call
from master_daemon.cluster.fake_slurm.controller import Controller
from master_daemon.cluster.fake_slurm.door import Door, Line, Waiter, write_executables
from master_daemon.cluster.fake_slurm.fault import Answer, Fault, Kill
from master_daemon.cluster.fake_slurm.job import Job, Node
from master_daemon.cluster.fake_slurm.scenario import Record, Scenario

TICK_S = 0.05
_NODES = (Node("gpu1", "gpu"), Node("gpu2", "gpu"), Node("cpu1", "cpu"))


class FakeSlurm:
    """One cluster in `folder`. Everything may be called from any thread, also while commands run."""

    def __init__(self, folder: Path, nodes: Sequence[Node] = _NODES) -> None:
        self.folder = folder
        self.controller = Controller(_made(folder / "spool"), nodes)
        """Its jobs, nodes and times, to look at and to change."""
        self._scenario = Scenario()
        self._stopped = threading.Event()
        self._door = Door(folder, self._answer)
        self._threads = [
            threading.Thread(target=self._door.serve_forever, args=(TICK_S,), name="slurmctld", daemon=True),
            threading.Thread(target=self._run, name="slurmd", daemon=True),
        ]
        write_executables(folder, commands.COMMANDS)

    # ---- life

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """No command is answered any more, and no job is left."""
        self._stopped.set()
        self._door.shutdown()
        for thread in self._threads:
            thread.join()
        self.controller.stop()
        self._door.server_close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def path(self) -> Path:
        """The folder of the executables."""
        return self.folder / "bin"

    def environment(self) -> dict[str, str]:
        """What a process needs so that it finds these commands and no others."""
        return {"PATH": f"{self.path}:{os.environ.get('PATH', '/usr/bin:/bin')}"}

    @property
    def calls(self) -> list[Record]:
        """Every call of every command, oldest first: the load on the scheduler."""
        return list(self._scenario.calls)

    # ---- programme

    def answers(self, command: str, fault: Fault, calls: int | None = None, seconds: float | None = None) -> None:
        """`command` (`*`: each) fails so, for some calls or seconds, else until `heal`. The newest word counts."""
        self._scenario.add(command, fault, calls, seconds)

    def heal(self) -> None:
        """Every command works again, partitions start jobs, nodes are up. The clock stays where it is."""
        self._scenario.clear()
        self.controller.held.clear()
        for name in self.controller.nodes:
            self.controller.set_node(name, "up")

    def cancel(self, job: Job) -> None:
        """Somebody else cancels the job."""
        self.controller.end(job.job_id, "CANCELLED")

    def requeue(self, job: Job) -> None:
        """It runs again from its start under the same ID, whatever it asked for."""
        self.controller.requeue(job.job_id)

    def preempt(self, job: Job, grace_s: float | None = None) -> None:
        """SIGTERM, SIGKILL after the grace time, PREEMPTED."""
        self.controller.end(job.job_id, "PREEMPTED", grace_s=grace_s)

    def run_out_of_memory(self, job: Job) -> None:
        """SIGKILL, OUT_OF_MEMORY."""
        self.controller.end(job.job_id, "OUT_OF_MEMORY", "OutOfMemory", grace_s=0)

    def fail_node(self, name: str) -> None:
        """The node loses power: its jobs are gone (NODE_FAIL, or they wait again if they asked for it)."""
        self.controller.set_node(name, "down")

    def clock_jump(self, seconds: float) -> None:
        """The cluster's clock, by which limits run and times are printed, moves."""
        self.controller.clock_offset_s += seconds

    def running(self, name: str) -> list[Job]:
        """The running jobs whose name starts so, oldest first."""
        return [job for job in self.controller.jobs if job.state == "RUNNING" and job.wish.name.startswith(name)]

    # ---- answers

    def _answer(self, call: Call, line: Line) -> Answer | None:
        fault = self._scenario.take(call.command, call.arguments)
        if fault is not None and fault.kill is Kill.BEFORE:
            _kill(call.caller)
            return None
        told = commands.answer(self.controller, call) if fault is None or fault.acts else Answer()
        if fault is not None and fault.kill is Kill.AFTER:
            _kill(call.caller)
            return None
        if fault is not None and fault.hangs:
            self._hang(line)
            return None
        edited = told if fault is None else fault.edit(told)
        if call.command == "srun" and edited == told and told.stdout.strip().isdecimal():
            return self._follow(int(told.stdout), call, line)
        return replace(edited, stderr=edited.stderr.replace("{command}", call.command))

    def _hang(self, line: Line) -> None:
        while not self._stopped.is_set() and line.watch(TICK_S) is Waiter.WAITS:
            pass

    def _follow(self, job_id: int, call: Call, line: Line) -> Answer | None:
        """srun ends when its job does. Told to end, it gives its job back; killed, it leaves the job alone."""
        announced = not {"-v", "--verbose"} & set(call.arguments)
        while not self._stopped.is_set():
            job = self.controller.job(job_id)
            if not announced and job.state == "RUNNING":
                announced = True
                os.write(call.streams[2], f"srun: jobid {job_id}: nodes(1):`{job.node}', cpu counts: 1(x1)\n".encode())
            if not job.live:
                return Answer(code=job.exit_code if job.exit_code >= 0 else 128 - job.exit_code)
            waiter = line.watch(TICK_S)
            if waiter is Waiter.GIVES_BACK:
                self.controller.end(job_id, "CANCELLED")
            elif waiter is Waiter.GONE:
                return None
        return None

    def _run(self) -> None:
        while not self._stopped.wait(TICK_S):
            self.controller.tick()


def _kill(caller: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(caller, signal.SIGKILL)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder
