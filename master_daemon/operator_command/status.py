"""`ligan status`: the whole daemon at a glance."""

from __future__ import annotations

import argparse

from ligan.web.client import Client
from ligan.wire.admin import Status, Waiting
from master_daemon.operator_command import maintenance
from master_daemon.operator_command.line import add_line_arguments, answered
from master_daemon.operator_command.text import duration, moment, size, table

_DESCRIPTION = """Show the running daemon: its jobs and tasks by state, who waits for a backend and why, how old the
scheduler's last answer is and how often it is called."""
_EPILOG = """examples:
  ligan status                                the daemon of this user
  ligan status --state-dir ./state            the daemon that `ligan up --state-dir ./state` started
  ligan status --json | jq .queue             for scripts; docs: /master-daemon-api-docs
  ligan status --url http://login1:7022/ --token-file ./operator-token      from another machine

Exit status: 0 answered, 1 refused, or there is no daemon."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ligan status`."""
    add_line_arguments(parser, _DESCRIPTION, _EPILOG)


def status(arguments: argparse.Namespace) -> int:
    """show the running daemon at a glance"""
    return answered(arguments, _ask, show)


def _ask(line: Client) -> Status:
    return line.get("/status", Status)


def show(status: Status) -> str:
    """The answer as text."""
    return "\n\n".join(part for part in (_head(status), _jobs(status), _queue(status), _events(status)) if part)


def _head(status: Status) -> str:
    heard = (
        "no answer yet" if status.scheduler_answer_age_s is None else f"{duration(status.scheduler_answer_age_s)} ago"
    )
    lines = [
        f"LiGAN {status.version}, process {status.pid}, up for {duration(status.now - status.started_at)}",
        f"scheduler  {status.manager}: answered {heard}, {status.scheduler_calls_per_minute} calls in the last minute",
        f"sessions   {status.sessions} known, {status.wanting} want a backend, {status.pages} pages open",
        f"tasks      {_counts(status.tasks)}",
        f"disk       {size(status.disk_free_bytes)} free for the state directory",
    ]
    if status.breaker_open:
        lines.append(
            "PAUSED     submits wait, or are on trial: a job was refused or failed at its start; see `ligan doctor`"
        )
    if status.drain.on:
        since = moment(status.drain.since, status.now)
        lines.append(f"DRAINING   since {since}: no backend starts for new sessions. {status.drain.message}")
    if status.notices.maintenance is not None:
        lines.append(f"MAINTENANCE {maintenance.show(status.notices, status.now)}")
    if status.notices.announcement is not None:
        lines.append(f"announced  {status.notices.announcement.text}")
    return "\n".join(lines)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count) or "none"


def _jobs(status: Status) -> str:
    if not status.jobs:
        return "no job lives"
    return table(
        ("JOBS", "STATES"),
        [
            (role, _counts({state.value.lower(): n for state, n in states.items()}))
            for role, states in status.jobs.items()
        ],
    )


def _queue(status: Status) -> str:
    if not status.queue:
        return ""
    return table(
        ("WAITING", "PLACE", "SINCE", "STATE", "START", "REASON"), [_row(one, status.now) for one in status.queue]
    )


def _row(waiting: Waiting, now: float) -> tuple[object, ...]:
    start = moment(waiting.expected_start, now) if waiting.expected_start is not None else "not known"
    return waiting.session, waiting.place, duration(now - waiting.since), waiting.state, start, waiting.reason


def _events(status: Status) -> str:
    if not status.events:
        return ""
    newest = status.events[:10]
    return table(("LATELY", "SUBJECT", "WHAT"), [(moment(one.at, status.now), one.subject, one.what) for one in newest])
