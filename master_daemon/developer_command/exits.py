"""What `ligan submit` ends with."""

from __future__ import annotations

from ligan.wire.trial import Trial, TrialState

NOT_SUBMITTED = 125
TIME_LIMIT = 124
CANCELLED = 130
CLUSTER = 75
"""sysexits.h, EX_TEMPFAIL: the cluster ended it, and the same again may well do."""
_CODES = {
    TrialState.TIME_LIMIT: TIME_LIMIT,
    TrialState.CANCELLED: CANCELLED,
    TrialState.PREEMPTED: CLUSTER,
    TrialState.NODE_FAILED: CLUSTER,
    TrialState.OUT_OF_MEMORY: CLUSTER,
    TrialState.NEVER_STARTED: CLUSTER,
}
TEXT = f"""Exit status: 0 the command succeeded; else the command's own, or {NOT_SUBMITTED} not submitted, refused
or out of reach, {TIME_LIMIT} time limit, {CANCELLED} cancelled, {CLUSTER} ended by the cluster (preempted, machine
failed, out of memory, never started), 2 wrong arguments. With --json the state says which."""


def code_of(trial: Trial) -> int:
    """For a trial that is over."""
    if trial.state in _CODES:
        return _CODES[trial.state]
    return trial.exit_code if trial.exit_code is not None else CLUSTER
