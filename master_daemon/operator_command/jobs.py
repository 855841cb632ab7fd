"""`ligan jobs`: every job that has not ended, for operators; one's own test jobs, for developers."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from ligan.web.client import Client
from ligan.wire.admin import AdminJob, AdminJobs
from master_daemon.developer_command.listing import list_own
from master_daemon.developer_command.server import is_elsewhere
from master_daemon.operator_command.line import add_line_arguments, answered
from master_daemon.operator_command.text import duration, moment, table

_DESCRIPTION = """List the daemon's jobs: the frontend, the backends and test jobs, with state, time limit and tasks.
With --mine, or where a service is named, your own test jobs, those that have ended too."""
_EPILOG = """examples:
  ligan jobs                       all of them
  ligan explain 4711               why one of them waits, by its Slurm job ID
  ligan jobs --mine                your test jobs (`ligan submit`)
  ligan jobs --json | jq '.jobs[] | select(.state == "PENDING")'

NONCE is the tag in the job's name: `squeue --name=ligan-backend-NONCE` finds the job in Slurm.

Exit status: 0 answered, 1 refused, or there is no daemon."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ligan jobs`."""
    add_line_arguments(parser, _DESCRIPTION, _EPILOG)
    parser.add_argument("--mine", action="store_true", help="your own test jobs")
    parser.add_argument("--everybody", action="store_true", help="operators: test jobs of all users")
    parser.add_argument("--server", metavar="URL", help="the service, for test jobs; default: $LIGAN_SERVER")
    parser.add_argument("--ca-file", type=Path, help="certificate that the service's own is signed by")


def jobs(arguments: argparse.Namespace) -> int:
    """list the jobs that have not ended"""
    if arguments.mine or arguments.everybody or (is_elsewhere(arguments) and not arguments.url):
        return list_own(arguments)
    return answered(arguments, _ask, lambda answer: show(answer, time.time()))


def _ask(line: Client) -> AdminJobs:
    return line.get("/jobs", AdminJobs)


def show(answer: AdminJobs, now: float) -> str:
    """The answer as text."""
    head = ("JOB", "NONCE", "ROLE", "FOR", "GEN", "STATE", "SINCE", "ENDS", "TASKS", "REASON")
    return table(head, [_row(job, now) for job in answer.jobs]) if answer.jobs else "no job lives"


def _row(job: AdminJob, now: float) -> tuple[object, ...]:
    since, ends = duration(now - job.since), moment(job.ends_at, now)
    return (
        job.job_id or "–",
        job.nonce,
        job.role,
        job.seat,
        job.generation,
        job.state,
        since,
        ends,
        job.tasks,
        job.reason,
    )
