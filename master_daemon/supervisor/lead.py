"""How long before its time limit a job's successor is submitted, learnt from the jobs before it (promise 4). Pure."""

from __future__ import annotations

from collections.abc import Sequence

from ligan.intervals import HANDOVER_MARGIN, UNKNOWN_LOAD, UNKNOWN_WAIT


def p95(values: Sequence[float]) -> float:
    """The value that 95 % of `values` do not exceed; the largest of fewer than twenty. Raises ValueError for none."""
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(0.95 * len(ordered)))]


def lead_s(past: Sequence[tuple[float, float]], task_s: float, time_limit_s: float) -> float:
    """Seconds of head start: queue wait + load time + one task + margin, at most half the time limit.

    `past` are (wait, load) in seconds of earlier jobs, `task_s` the longest time request of a task. While the old job
    has less left than a task may need, only the successor can take it: so the task's time counts too.
    """
    wait = p95([wait for wait, _ in past]) if past else UNKNOWN_WAIT
    load = p95([load for _, load in past]) if past else UNKNOWN_LOAD
    return min(wait + load + task_s + HANDOVER_MARGIN, time_limit_s / 2)
