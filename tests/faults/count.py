"""What was lost, doubled and orphaned, counted from the outside: pure functions over what was seen."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tests.faults.person import Shown


@dataclass(frozen=True)
class SeenJob:
    """One job of ours as the cluster knows it. Times on one clock; `ended` is None while it lives."""

    job_id: str
    nonce: str
    began: float
    ended: float | None = None


@dataclass(frozen=True)
class Seat:
    """For whom a job was made."""

    role: str
    owner: str
    generation: int


def lost(
    posted: Iterable[str], states: Mapping[str, tuple[str, str]], shown: Sequence[Shown], excused: Iterable[str] = ()
) -> list[str]:
    """A sentence for each acknowledged task whose page never got its result. `states`: (state, problem) by task."""
    ended = {event.task_id for event in shown}
    findings = []
    for task_id in posted:
        state, problem = states.get(task_id, ("unknown", ""))
        if state == "done" and task_id not in ended:
            findings.append(f"{task_id} is done, but no event said so")
        elif state != "done" and problem not in excused:
            findings.append(f"{task_id} is {state} {problem}".strip())
    return findings


def shown_twice(shown: Sequence[Shown]) -> list[str]:
    """A sentence for each task whose end was shown more than once."""
    times = Counter(event.task_id for event in shown)
    return [f"the end of {task_id} was shown {count} times" for task_id, count in times.items() if count > 1]


def doubled_jobs(jobs: Sequence[SeenJob], seats: Mapping[str, Seat]) -> list[str]:
    """A sentence for each nonce with two jobs, each generation with two, and each seat with more than two at a time."""
    findings = [f"{count} jobs carry the nonce {nonce}" for nonce, count in _count(job.nonce for job in jobs)]
    known = [job for job in jobs if job.nonce in seats]
    generations = {(seats[job.nonce], job.nonce) for job in known}
    findings += [f"{count} jobs are {seat}" for seat, count in _count(seat for seat, _ in generations)]
    by_owner: dict[tuple[str, str], list[SeenJob]] = defaultdict(list)
    for job in known:
        by_owner[seats[job.nonce].role, seats[job.nonce].owner].append(job)
    for (role, owner), theirs in by_owner.items():
        most = most_at_once(theirs)
        if most > 2:
            findings.append(f"{most} jobs at once for {role} {owner[:8]}")
    return findings


def most_at_once(jobs: Iterable[SeenJob]) -> int:
    """How many lived at the same time, at most."""
    turns = sorted(
        turn for job in jobs for turn in ((job.began, 1), (job.ended if job.ended is not None else float("inf"), -1))
    )
    now = most = 0
    for _, change in turns:
        now += change
        most = max(most, now)
    return most


def _count(things: Iterable[object]) -> list[tuple[object, int]]:
    return [(thing, count) for thing, count in Counter(things).items() if count > 1]
