"""One's own test jobs, for `ligan jobs`."""

from __future__ import annotations

import argparse
import shlex
import sys
import time

from ligan.output import say
from ligan.problem import Problem
from ligan.wire.trial import Trial, Trials
from master_daemon.developer_command.server import NoServerError, open_server
from master_daemon.operator_command.text import duration, table

_LONGEST = 60


def list_own(arguments: argparse.Namespace) -> int:
    """Print them. Exit codes: 0 answered, 1 refused or not there."""
    try:
        answer = open_server(arguments).trials(arguments.everybody)
    except NoServerError as error:
        print(f"ligan jobs: {error}", file=sys.stderr)
        return 1
    except Problem as problem:
        print(f"ligan jobs: {problem.document.detail}", file=sys.stderr)
        return 1
    say(answer.model_dump_json(indent=2) if arguments.json else show(answer, time.time()))
    return 0


def show(answer: Trials, now: float) -> str:
    """The answer as text."""
    head = ("JOB", "USER", "STATE", "AGE", "RUN", "GPUS", "EXIT", "COMMAND", "REASON")
    return table(head, [_row(trial, now) for trial in answer.trials]) if answer.trials else "no test job"


def _row(trial: Trial, now: float) -> tuple[object, ...]:
    command = shlex.join(trial.command)
    return (
        trial.trial_id,
        trial.user,
        trial.state,
        duration(now - trial.created_at),
        duration(trial.run_s) if trial.started_at else "–",
        trial.gpus,
        "–" if trial.exit_code is None else trial.exit_code,
        command if len(command) <= _LONGEST else f"{command[:_LONGEST]}…",
        trial.reason,
    )
