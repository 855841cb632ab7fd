"""sbatch, srun and salloc of a fake cluster."""

from __future__ import annotations

import getpass
import os
from pathlib import Path

from master_daemon.cluster.fake_slurm.call import Call
from master_daemon.cluster.fake_slurm.columns import moment
from master_daemon.cluster.fake_slurm.controller import Controller
from master_daemon.cluster.fake_slurm.fault import Answer
from master_daemon.cluster.fake_slurm.job import Wish
from master_daemon.cluster.fake_slurm.options import Options, directives, notice, parse, seconds


def sbatch(controller: Controller, call: Call, options: Options, rest: list[str]) -> Answer:
    script = f"#!/bin/sh\n{options['wrap']}\n" if "wrap" in options else _script(call, rest)
    if not script.startswith("#!"):
        return call.error(
            "This does not look like a batch script.  The first\n"
            "sbatch: error: line must start with #! followed by the path to an interpreter.",
        )
    written, _ = parse("sbatch", directives(script))
    options = {**written, **options}
    refusal = _refusal(controller, call, options)
    if refusal or "test-only" in options:
        return refusal or Answer(stderr=_would_start(controller, options))
    job = controller.submit(_wish(controller, call, options, script, tuple(rest[1:])))
    return Answer(f"{job.job_id}\n" if "parsable" in options else f"Submitted batch job {job.job_id}\n")


def _script(call: Call, rest: list[str]) -> str:
    if rest:
        return (call.folder / rest[0]).read_text()
    with os.fdopen(os.dup(call.streams[0]), encoding="utf-8", errors="surrogateescape") as stdin:
        return stdin.read()


def _wish(controller: Controller, call: Call, options: Options, script: str | None, argv: tuple[str, ...] = ()) -> Wish:
    return Wish(
        name=options.get("job-name", "sbatch" if script else Path(argv[0]).name if argv else "no-shell"),
        user=getpass.getuser(),
        partition=_partition(controller, options),
        folder=Path(options.get("chdir") or call.folder),
        environment=call.environment,
        umask=call.umask,
        script=script,
        argv=argv,
        output=options.get("output", "slurm-%j.out" if script else None),
        append=options.get("open-mode") == "append",
        time_limit_s=seconds(options.get("time", "0")),
        requeue="no-requeue" not in options,
        held="hold" in options,
        notice=notice(options["signal"]) if "signal" in options else None,
        cpus=int(options.get("cpus-per-task", 1)),
        gres=options.get("gres", ""),
        comment=options.get("comment", ""),
    )


def _partition(controller: Controller, options: Options) -> str:
    return options.get("partition") or next(iter(controller.nodes.values())).partition


def _refusal(controller: Controller, call: Call, options: Options) -> Answer | None:
    partition = _partition(controller, options)
    if partition in {node.partition for node in controller.nodes.values()}:
        return None
    failed = "Batch job submission failed" if call.command == "sbatch" else "Unable to allocate resources"
    return call.error(
        f"invalid partition specified: {partition}\n{call.command}: error: {failed}: Invalid partition name specified",
    )


def _would_start(controller: Controller, options: Options) -> str:
    partition = _partition(controller, options)
    node = next(node.name for node in controller.nodes.values() if node.partition == partition)
    when = moment(controller.now())
    number = len(controller.jobs) + 1
    return f"sbatch: Job {number} to start at {when} using 1 processors on nodes {node} in partition {partition}\n"


def srun(controller: Controller, call: Call, options: Options, rest: list[str]) -> Answer:
    refusal = _refusal(controller, call, options)
    if refusal is None and "immediate" in options and not controller.has_room(_partition(controller, options)):
        refusal = call.error("Unable to allocate resources: Requested nodes are busy")
    if refusal or not rest:
        return refusal or call.error("No command given to execute.")
    job = controller.submit(_wish(controller, call, options, None, tuple(rest)), call.streams)
    return Answer(str(job.job_id))


def salloc(controller: Controller, call: Call, options: Options, rest: list[str]) -> Answer:
    refusal = _refusal(controller, call, options)
    if refusal is None and not controller.has_room(_partition(controller, options)):
        refusal = call.error("Unable to allocate resources: Requested nodes are busy")
    if refusal or rest or "no-shell" not in options:
        return refusal or call.error("this cluster allocates with --no-shell only")
    job = controller.submit(_wish(controller, call, options, None))
    controller.tick()
    return Answer(stderr=f"salloc: Granted job allocation {job.job_id}\n")
