"""A job's program as a process of its own: its group is signalled, and what is left of it dies with it. setsid(2)."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from master_daemon.cluster.fake_slurm.job import Job
from master_daemon.cluster.fake_slurm.options import file_name

Streams = tuple[int, int, int]
"""File descriptors of a program's standard input, output and error."""


class Program:
    """Started when made. Raises OSError when it cannot be."""

    def __init__(self, job: Job, spool: Path, streams: Streams | None) -> None:
        """A batch script is copied to `spool` first; its output goes to the job's file, or to `streams`."""
        script = _spooled(job, spool)
        argv = [str(script), *job.wish.argv] if script else list(job.wish.argv)
        log = None if job.wish.output is None else _open_log(job, job.wish.output)
        stdin, stdout, stderr = streams or (subprocess.DEVNULL,) * 3
        try:
            self._process = _start(argv, job, (stdin, stdout, stderr) if log is None else (stdin, log, log))
        finally:
            if log is not None:
                os.close(log)
        self.pid = self._process.pid

    def signal(self, number: signal.Signals) -> None:
        """To every process of the job."""
        with suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    def poll(self) -> int | None:
        """The exit status once the script has ended (a signal's number negative); the rest of its group is killed."""
        if self._process.returncode is None and os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            self.signal(signal.SIGKILL)  # its number is its own until it is reaped
            self._process.wait()
        return self._process.returncode

    def end(self) -> None:
        """Kill it and wait."""
        self.signal(signal.SIGKILL)
        self._process.wait()


def _start(argv: Sequence[str], job: Job, streams: Streams) -> subprocess.Popen[bytes]:
    stdin, stdout, stderr = streams
    return subprocess.Popen(
        argv,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        cwd=job.wish.folder,
        env={**job.wish.environment, **_variables(job)},
        umask=job.wish.umask,
        start_new_session=True,
    )


def _variables(job: Job) -> dict[str, str]:
    """What sbatch(1), OUTPUT ENVIRONMENT VARIABLES, promises a job."""
    return {
        "SLURM_JOB_ID": str(job.job_id),
        "SLURM_JOBID": str(job.job_id),
        "SLURM_JOB_NAME": job.wish.name,
        "SLURM_JOB_PARTITION": job.wish.partition,
        "SLURM_JOB_NODELIST": job.node,
        "SLURMD_NODENAME": job.node,
        "SLURM_CPUS_PER_TASK": str(job.wish.cpus),
        "SLURM_SUBMIT_DIR": str(job.wish.folder),
        "SLURM_RESTART_COUNT": str(job.restarts),
    }


def _spooled(job: Job, spool: Path) -> Path | None:
    if job.wish.script is None:
        return None
    script = spool / f"job{job.job_id:05}-{job.restarts}"
    script.write_text(job.wish.script)
    script.chmod(0o700)
    return script


def _open_log(job: Job, pattern: str) -> int:
    name = file_name(pattern, job.job_id, job.wish.name, job.node, job.wish.user)
    how = os.O_APPEND if job.wish.append or job.restarts else os.O_TRUNC
    return os.open(job.wish.folder / name, os.O_WRONLY | os.O_CREAT | how, 0o666 & ~job.wish.umask)
