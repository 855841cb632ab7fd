"""Trials that go on in another job, from what the one before left. Pure."""

from __future__ import annotations

from ligan.wire.trial import GO_ON, Content
from master_daemon.cluster.states import EndCause
from master_daemon.state.trials import TrialRow

_OUTSIDE = frozenset({EndCause.TIME_LIMIT.value, EndCause.PREEMPTED.value, EndCause.NODE_FAILED.value})
"""Ends that are not the command's own doing, nor anybody's wish."""
_WISHED = frozenset({EndCause.CANCELLED.value, EndCause.RELEASED.value})


def goes_on(row: TrialRow) -> bool:
    """Is there another job after this one, which has ended?

    The command asks for it with exit code 75, told to end or not, or it could not finish. Whoever cancels, the job's
    owner or somebody with scancel, cancels all of it.
    """
    if row.cancelled_at is not None or row.part > row.order.continues:
        return False
    if row.result is not None and row.result.exit_code == GO_ON:
        return row.job.cause not in _WISHED
    finished = row.result is not None and (not row.result.told or row.result.exit_code == 0)
    return not finished and row.job.cause in _OUTSIDE


def had(row: TrialRow) -> list[Content]:
    """All bytes that the newest job gets: its folder, and what it goes on from."""
    folder = [row.order.folder] if row.order.folder else []
    return [*folder, *(row.carried.files if row.carried else ())]


def beginning(row: TrialRow) -> str:
    """Why the next job is there, in a sentence."""
    return f"Part {row.part + 1} of at most {row.order.continues + 1}: it goes on from what part {row.part} left."
