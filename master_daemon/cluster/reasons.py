"""Why a Slurm job waits or has ended, in plain sentences. squeue(1), JOB REASON CODES; Slurm's resource_limits.html.

The codes of releases 22.05 to 25.05. Limits are many and named by one scheme, so they are a few patterns here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from master_daemon.cluster.states import STATES, EndCause, state_word

__all__ = ["REASONS", "EndCause", "Outlook", "Reason", "end_cause", "end_sentence", "never_starts", "wait_sentence"]


class Outlook(StrEnum):
    """What helps a job that waits."""

    TIME = "time"
    """It starts when others have ended or a time has come."""
    OPERATOR = "operator"
    """Somebody has to release, repair, or raise something."""
    NEVER = "never"
    """It cannot start as it was submitted."""


class Reason(NamedTuple):
    """One row of the table."""

    sentence: str
    """Why the job waits, for the person at the page."""
    outlook: Outlook
    cause: EndCause | None = None
    """Why a job ended whose state says no more than FAILED."""


TIME, OPERATOR, NEVER = Outlook.TIME, Outlook.OPERATOR, Outlook.NEVER
_NEVER_RAN, _NODE = EndCause.NEVER_STARTED, EndCause.NODE_FAILED
_AT_LIMIT = "This service has as many jobs as the cluster allows it."
_QUEUED = Reason("It waits in the cluster's queue.", TIME)
_SWITCHED_OFF = "This part of the cluster is switched off."
_MACHINES = "The machines it needs are switched off or reserved."
_HELD = "The cluster's operators hold it back."

REASONS: Mapping[str, Reason] = {
    # Waits its turn
    "": _QUEUED,
    "None": _QUEUED,
    "WaitingForScheduling": _QUEUED,
    "SchedDefer": _QUEUED,
    "Resources": Reason("It waits for a free machine; it is the next in line.", TIME),
    "Priority": Reason("Other jobs are before it in the cluster's queue.", TIME),
    "BeginTime": Reason("The cluster starts it a little later.", TIME),
    "Prolog": Reason("Its machine is being prepared.", TIME),
    "Cleaning": Reason("Its machine is being cleaned up.", TIME),
    "BlockFreeAction": Reason("Its machines are being freed.", TIME),
    "BlockMaxError": Reason("Too many of the machines it needs have failed.", OPERATOR),
    "Dependency": Reason("It waits for another job to end.", TIME),
    "Licenses": Reason("It waits for a software licence.", TIME),
    "Reservation": Reason("It waits for its reservation to begin.", TIME),
    "JobArrayTaskLimit": Reason("It waits for other jobs of its kind.", TIME),
    "BurstBufferResources": Reason("It waits for fast storage.", TIME),
    "BurstBufferStageIn": Reason("Its data is being copied to fast storage.", TIME),
    "PowerNotAvail": Reason("It waits for electric power to be free.", TIME),
    "PowerReserved": Reason("It waits for electric power to be free.", TIME),
    "FedJobLock": Reason("The clusters agree on where it runs.", TIME),
    "ReqNodeNotAvail": Reason(_MACHINES, OPERATOR),
    "Nodes required for job are DOWN": Reason(_MACHINES, OPERATOR),
    "NodeDown": Reason("The machine it needs is down.", OPERATOR, _NODE),
    "FrontEndDown": Reason("The cluster's front end is down.", OPERATOR, _NODE),
    "PartitionDown": Reason(_SWITCHED_OFF, OPERATOR, _NEVER_RAN),
    "PartitionInactive": Reason(_SWITCHED_OFF, OPERATOR, _NEVER_RAN),
    "JobHeldAdmin": Reason(_HELD, OPERATOR),
    "JobHeldUser": Reason("The operator of this service holds it back.", OPERATOR),
    "JobHoldMaxRequeue": Reason("It was started and put back too often.", OPERATOR),
    "launch failed requeued held": Reason("It could not be launched and is held back.", OPERATOR),
    "ReservationDeleted": Reason("The reservation it was made for is gone.", NEVER, _NEVER_RAN),
    "ReservationInvalid": Reason("The reservation it was made for is not valid.", NEVER, _NEVER_RAN),
    # Limits without the scheme
    "QOSMaxJobsPerUserLimit": Reason(_AT_LIMIT, TIME),
    "AssocMaxJobsLimit": Reason(_AT_LIMIT, TIME),
    "AssociationJobLimit": Reason(_AT_LIMIT, TIME),
    "QOSJobLimit": Reason(_AT_LIMIT, TIME),
    "AssociationResourceLimit": Reason("This service has as much of the cluster as it is allowed.", TIME),
    "QOSResourceLimit": Reason("This service has as much of the cluster as it is allowed.", TIME),
    "AssociationTimeLimit": Reason("This service has used up its computing time.", OPERATOR),
    "QOSTimeLimit": Reason("This service has used up its computing time.", OPERATOR),
    "QOSUsageThreshold": Reason("This service has used up its share for now.", OPERATOR),
    "AccountingPolicy": Reason("The cluster's rules do not allow it now.", OPERATOR),
    "PartitionTimeLimit": Reason("It asks for more time than this part of the cluster gives.", NEVER, _NEVER_RAN),
    "PartitionNodeLimit": Reason("It asks for more machines than this part of the cluster has.", OPERATOR),
    "PartitionConfig": Reason("This part of the cluster cannot give what it asks for.", NEVER, _NEVER_RAN),
    "MaxMemPerLimit": Reason("It asks for more memory than a job may have.", NEVER, _NEVER_RAN),
    # Cannot be met
    "BadConstraints": Reason("No machine of the cluster has what it asks for.", NEVER, _NEVER_RAN),
    "Constraints": Reason("No free machine has what it asks for.", OPERATOR, _NEVER_RAN),
    "DependencyNeverSatisfied": Reason("The job it waits for did not end as it should.", NEVER, _NEVER_RAN),
    "InvalidAccount": Reason("The account of this service is not valid.", NEVER, _NEVER_RAN),
    "InvalidQOS": Reason("The quality of service it asks for is not valid.", NEVER, _NEVER_RAN),
    "AccountNotAllowed": Reason("This service may not use this part of the cluster.", NEVER, _NEVER_RAN),
    "QOSNotAllowed": Reason("This service may not use this part of the cluster.", NEVER, _NEVER_RAN),
    # Ends
    "NonZeroExitCode": Reason("It ended badly.", NEVER),
    "RaisedSignal": Reason("It was killed by a signal.", NEVER),
    "JobLaunchFailure": Reason("It could not be launched.", OPERATOR, _NODE),
    "SystemFailure": Reason("The cluster's own system failed.", OPERATOR, _NODE),
    "BurstBufferOperation": Reason("Fast storage failed.", OPERATOR, _NODE),
    "TimeLimit": Reason("It reached its time limit.", NEVER, EndCause.TIME_LIMIT),
    "InactiveLimit": Reason("It was idle for too long.", NEVER, EndCause.TIME_LIMIT),
    "DeadLine": Reason("It could not start in time.", NEVER, _NEVER_RAN),
    "OutOfMemory": Reason("It needed more memory than it was given.", NEVER, EndCause.OUT_OF_MEMORY),
}

_PATTERNS = (
    # Budgets of minutes come first: `AssocGrpGRESMinutes` is spent, `AssocGrpGRES` only in use
    (r"(Assoc|QOS)Grp\w+RunMinutes(Limit)?", Reason("The running jobs of its group take up its computing time.", TIME)),
    (r"(Assoc|QOS)Grp(\w+Minutes|Wall)(Limit)?", Reason("Its group has used up its computing time.", OPERATOR)),
    (r"(Assoc|QOS)Grp\w+", Reason("Its group has as much of the cluster as it is allowed.", TIME)),
    (r"(QOSMax|Max)\w+Per(User|Account)(Limit)?", Reason("This service has as much as the cluster allows it.", TIME)),
    (r"AssocMaxSubmitJobLimit", Reason(_AT_LIMIT, TIME)),
    (r"(Assoc|QOS)Max\w+Per(Job|Node)(Limit)?", Reason("It asks for more than one job may have.", NEVER, _NEVER_RAN)),
    (r"QOSMin\w+", Reason("It asks for less than a job must.", NEVER, _NEVER_RAN)),
)


def reason_of(code: str) -> Reason | None:
    """The row of a reason as squeue(1) prints it, also with details: `ReqNodeNotAvail, UnavailableNodes:gpu1`."""
    key = _plain(code).partition(",")[0].partition("(")[0].strip()
    return REASONS.get(key) or _by_pattern(key)


def wait_sentence(reason: str) -> str:
    """Why a job waits, for a person; with Slurm's own word where ours says less."""
    row = reason_of(reason)
    if row is None:
        return f"{_QUEUED.sentence.removesuffix('.')} ({reason})."
    return row.sentence if _plain(reason) in REASONS else f"{row.sentence} ({reason})"


def never_starts(reason: str) -> bool:
    """Is it in vain to wait on?"""
    row = reason_of(reason)
    return row is not None and row.outlook is Outlook.NEVER


def end_sentence(state: str, reason: str) -> str:
    """Why a job ended, for a person; with Slurm's reason where it gives one."""
    known = STATES.get(state_word(state))
    sentence = known.sentence if known and known.sentence else f"It ended ({state})."
    return sentence if reason in ("", "None") else f"{sentence} ({reason})"


def end_cause(state: str, reason: str) -> EndCause:
    """What the end means; a state that ends no job counts as FAILED."""
    known, row = STATES.get(state_word(state)), reason_of(reason)
    cause = (known and known.cause) or EndCause.FAILED
    return row.cause if cause is EndCause.FAILED and row and row.cause else cause


def _plain(code: str) -> str:
    """squeue prints the spaces of a longer reason as underscores."""
    return code.replace("_", " ")


def _by_pattern(key: str) -> Reason | None:
    return next((reason for pattern, reason in _PATTERNS if re.fullmatch(pattern, key)), None)
