"""scancel and scontrol of a fake cluster."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Mapping

from master_daemon.cluster.fake_slurm.call import VERSION, Call
from master_daemon.cluster.fake_slurm.columns import moment
from master_daemon.cluster.fake_slurm.controller import Controller
from master_daemon.cluster.fake_slurm.fault import Answer
from master_daemon.cluster.fake_slurm.job import Job
from master_daemon.cluster.fake_slurm.look import is_wanted
from master_daemon.cluster.fake_slurm.options import Options


def scancel(controller: Controller, call: Call, options: Options, rest: list[str]) -> Answer:
    jobs = {str(job.job_id): job for job in controller.listed()}
    if not rest:
        rest = [key for key, job in jobs.items() if job.live and is_wanted(job, {**options, "states": "ALL"})]
    for job_id in rest:
        if job_id not in jobs:
            return call.error(f"Kill job error on job id {job_id}: Invalid job id specified")
        if not jobs[job_id].live:
            return call.error(f"Kill job error on job id {job_id}: Job/step already completing or completed")
        _signal_or_end(controller, int(job_id), options)
    return Answer()


def _signal_or_end(controller: Controller, job_id: int, options: Options) -> None:
    if "signal" in options:
        name = options["signal"].upper().removeprefix("SIG")
        number = signal.Signals(int(name)) if name.isdecimal() else signal.Signals[f"SIG{name}"]
        os.killpg(controller.pid(job_id), number)
    else:
        controller.end(job_id, "CANCELLED")


def scontrol(controller: Controller, call: Call, options: Options, rest: list[str]) -> Answer:
    verb = tuple(rest[:2])
    if verb[:1] == ("ping",):
        return Answer("Slurmctld(primary) at localhost is UP\n")
    if verb == ("show", "config"):
        kind = "slurmdbd" if controller.keeps_accounts else "none"
        return Answer(
            f"Configuration data as of {moment(controller.now(), '')}\n"
            f"AccountingStorageType   = accounting_storage/{kind}\n"
            f"KillWait                = {controller.kill_wait_s:.0f} sec\n"
            f"MinJobAge               = {controller.min_job_age_s:.0f} sec\n"
            f"SLURM_VERSION           = {VERSION.split()[1]}\n"
        )
    if verb == ("show", "partition"):
        return _partitions(controller, rest[2:])
    if verb == ("show", "job"):
        wanted = [job for job in controller.listed() if not rest[2:] or str(job.job_id) in rest[2:]]
        return Answer("".join(map(_shown, wanted))) if wanted else _no_such_job()
    act = _ACTS.get(rest[0]) if len(rest) == 2 else None
    if act is None:
        return call.error(f"invalid keyword: {' '.join(rest)}")
    try:
        act(controller, int(rest[1]))
    except KeyError:
        return _no_such_job()
    return Answer()


_ACTS: Mapping[str, Callable[[Controller, int], None]] = {
    "requeue": Controller.requeue,
    "hold": Controller.hold,
    "release": lambda controller, job_id: controller.hold(job_id, held=False),
}


def _partitions(controller: Controller, wanted: list[str]) -> Answer:
    names = dict.fromkeys(node.partition for node in controller.nodes.values())
    shown = [name for name in names if not wanted or name in wanted]
    if not shown:
        return Answer(stderr=f"Partition {wanted[0]} not found\n", code=1)
    return Answer(
        "".join(f"PartitionName={name} State=UP MaxTime=UNLIMITED DefaultTime=NONE PreemptMode=OFF\n" for name in shown)
    )


def _no_such_job() -> Answer:
    return Answer(stderr="slurm_load_jobs error: Invalid job id specified\n", code=1)


def _shown(job: Job) -> str:
    return (
        f"JobId={job.job_id} JobName={job.wish.name}\n"
        f"   JobState={job.state} Reason={job.reason} Dependency=(null)\n"
        f"   Requeue={int(job.wish.requeue)} Restarts={job.restarts} BatchFlag=1 Reboot=0 ExitCode=0:0\n"
        f"   Partition={job.wish.partition} NodeList={job.node or '(null)'}\n\n"
    )
