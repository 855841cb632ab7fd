"""squeue, sacct and sinfo of a fake cluster."""

from __future__ import annotations

from master_daemon.cluster.fake_slurm import columns
from master_daemon.cluster.fake_slurm.call import Call, is_one_of, lines
from master_daemon.cluster.fake_slurm.columns import Sight
from master_daemon.cluster.fake_slurm.controller import Controller
from master_daemon.cluster.fake_slurm.fault import Answer
from master_daemon.cluster.fake_slurm.job import COMPACT, Job, Node
from master_daemon.cluster.fake_slurm.options import Options


def squeue(controller: Controller, call: Call, options: Options, _: list[str]) -> Answer:
    chosen = [job for job in controller.listed() if is_wanted(job, options)]
    if options.get("jobs") and "," not in options["jobs"] and not any(str(j.job_id) == options["jobs"] for j in chosen):
        return Answer(stderr="slurm_load_jobs error: Invalid job id specified\n", code=1)
    sights = [_sight(controller, call, job) for job in chosen if "start" not in options or job.state == "PENDING"]
    header: list[Sight | None] = [] if "noheader" in options else [None]
    if "Format" in options:
        return lines(columns.by_names(options["Format"], sight) for sight in (*header, *sights))
    template = options.get("format") or call.environment.get("SQUEUE_FORMAT") or columns.DEFAULT
    return lines(columns.by_letters(template, sight) for sight in (*header, *sights))


def is_wanted(job: Job, options: Options) -> bool:
    states = options.get("states", "PENDING,RUNNING,COMPLETING").upper()
    return (
        (states == "ALL" or job.state in states.split(",") or COMPACT[job.state] in states.split(","))
        and is_one_of(options, "jobs", str(job.job_id))
        and is_one_of(options, "name", job.wish.name)
        and is_one_of(options, "partition", job.wish.partition)
        and is_one_of(options, "user", job.wish.user)
    )


def _sight(controller: Controller, call: Call, job: Job) -> Sight:
    return Sight(job, controller.now(), controller.expected_start(job), call.environment.get("SLURM_TIME_FORMAT", ""))


def sacct(controller: Controller, call: Call, options: Options, _: list[str]) -> Answer:
    if not controller.keeps_accounts:
        return Answer(stderr="Slurm accounting storage is disabled\n", code=1)
    names = options.get("format", "JobID,JobName,Partition,State,ExitCode").split(",")
    between = options.get("delimiter", "|")
    end = between if "parsable" in options else ""
    rows = [] if "noheader" in options else [between.join(names) + end]
    for job in controller.jobs:
        if is_one_of(options, "jobs", str(job.job_id)):
            sight = _sight(controller, call, job)
            rows.append(between.join(columns.named(name, sight) for name in names) + end)
    return lines(rows)


def sinfo(controller: Controller, call: Call, options: Options, _: list[str]) -> Answer:
    nodes = [node for node in controller.nodes.values() if is_one_of(options, "partition", node.partition)]
    template = options.get("format") or "%9P %5a %10l %6D %6t %N"
    header = [] if "noheader" in options else [columns.of_node(template, None, "")]
    return lines([*header, *(columns.of_node(template, node, _condition(controller, node)) for node in nodes)])


def _condition(controller: Controller, node: Node) -> str:
    if node.state != "up":
        return node.state
    busy = sum(job.live and job.node == node.name for job in controller.jobs)
    return "idle" if not busy else "mixed" if busy < node.slots else "allocated"
