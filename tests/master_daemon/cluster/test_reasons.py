"""Slurm's reasons in plain words, and what an end means."""

from __future__ import annotations

import pytest

from master_daemon.cluster.reasons import (
    EndCause,
    Outlook,
    end_cause,
    end_sentence,
    never_starts,
    reason_of,
    wait_sentence,
)

RESOURCES = ("Cpu", "Mem", "Node", "Energy", "GRES", "License", "BB", "Billing", "Unknown")
LIMITS = {
    *(f"{holder}Grp{what}{unit}" for holder in ("Assoc", "QOS") for what in RESOURCES for unit in ("", "Limit")),
    *(f"{holder}Grp{what}{run}Minutes" for holder in ("Assoc", "QOS") for what in RESOURCES for run in ("", "Run")),
    *(f"{holder}Max{what}Per{per}" for holder in ("Assoc", "QOS") for what in RESOURCES for per in ("Job", "Node")),
    *(f"{holder}Max{what}MinutesPerJob" for holder in ("Assoc", "QOS") for what in RESOURCES),
    *(f"QOSMax{what}PerUser" for what in RESOURCES),
    *(f"QOSMin{what}" for what in RESOURCES),
    *(f"Max{what}PerAccount" for what in (*RESOURCES, "Jobs", "SubmitJobs")),
    *("AssocGrpCPUMinutesLimit", "AssocGrpCPURunMinutesLimit", "AssocGrpJobsLimit", "AssocGrpSubmitJobsLimit"),
    *("AssocGrpWallLimit", "AssocMaxJobsLimit", "AssocMaxCpuPerJobLimit", "AssocMaxCpuMinutesPerJobLimit"),
    *("AssocMaxWallDurationPerJobLimit", "AssocMaxSubmitJobLimit", "QOSGrpJobsLimit", "QOSGrpSubmitJobsLimit"),
    *("QOSGrpWallLimit", "QOSMaxCpuPerUserLimit", "QOSMaxJobsPerUserLimit", "QOSMaxSubmitJobPerUserLimit"),
    *("QOSMaxWallDurationPerJobLimit", "QOSMinCpuNotSatisfied"),
}
SINGLE = {
    *("AccountNotAllowed", "AccountingPolicy", "AssociationJobLimit", "AssociationResourceLimit"),
    *("AssociationTimeLimit", "BadConstraints", "BeginTime", "BlockFreeAction", "BlockMaxError"),
    *("BurstBufferOperation", "BurstBufferResources", "BurstBufferStageIn", "Cleaning", "Constraints", "DeadLine"),
    *("Dependency", "DependencyNeverSatisfied"),
    *("FedJobLock", "FrontEndDown", "InactiveLimit", "InvalidAccount", "InvalidQOS", "JobArrayTaskLimit"),
    *("JobHeldAdmin", "JobHeldUser", "JobHoldMaxRequeue", "JobLaunchFailure", "Licenses", "MaxMemPerLimit"),
    *("NodeDown", "None", "NonZeroExitCode", "OutOfMemory", "PartitionConfig", "PartitionDown", "PartitionInactive"),
    *("PartitionNodeLimit", "PartitionTimeLimit", "PowerNotAvail", "PowerReserved", "Priority", "Prolog"),
    *("QOSJobLimit", "QOSNotAllowed", "QOSResourceLimit", "QOSTimeLimit", "QOSUsageThreshold", "RaisedSignal"),
    *("ReqNodeNotAvail", "Reservation", "ReservationDeleted", "ReservationInvalid", "Resources", "SchedDefer"),
    *("SystemFailure", "TimeLimit", "WaitingForScheduling"),
}
"""With LIMITS, every reason that Slurm 22.05 to 25.05 has a name for."""


@pytest.mark.parametrize("code", sorted(SINGLE | LIMITS))
def test_every_reason_is_in_the_table(code: str) -> None:
    row = reason_of(code)
    assert row is not None
    assert row.sentence.endswith(".")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("", "It waits in the cluster's queue."),
        ("None", "It waits in the cluster's queue."),
        ("Resources", "It waits for a free machine; it is the next in line."),
        ("QOSMaxGRESPerUser", "This service has as much as the cluster allows it. (QOSMaxGRESPerUser)"),
        (
            "ReqNodeNotAvail, UnavailableNodes:gpu[1-2]",
            "The machines it needs are switched off or reserved. (ReqNodeNotAvail, UnavailableNodes:gpu[1-2])",
        ),
        ("launch_failed_requeued_held", "It could not be launched and is held back."),
        ("AReasonToCome", "It waits in the cluster's queue (AReasonToCome)."),
    ],
)
def test_why_a_job_waits(code: str, words: str) -> None:
    assert wait_sentence(code) == words


@pytest.mark.parametrize(
    ("code", "outlook"),
    [
        ("Resources", Outlook.TIME),
        ("Priority", Outlook.TIME),
        ("Dependency", Outlook.TIME),
        ("AssocGrpGRES", Outlook.TIME),
        ("AssocGrpGRESRunMinutes", Outlook.TIME),
        ("AssocGrpGRESMinutes", Outlook.OPERATOR),
        ("QOSGrpWallLimit", Outlook.OPERATOR),
        ("QOSMaxJobsPerUserLimit", Outlook.TIME),
        ("QOSMaxGRESPerJob", Outlook.NEVER),
        ("Nodes_required_for_job_are_DOWN,_DRAINED_or_reserved", Outlook.OPERATOR),
        ("JobHeldAdmin", Outlook.OPERATOR),
        ("BadConstraints", Outlook.NEVER),
        ("DependencyNeverSatisfied", Outlook.NEVER),
    ],
)
def test_what_helps_a_job_that_waits(code: str, outlook: Outlook) -> None:
    row = reason_of(code)
    assert row is not None
    assert row.outlook is outlook
    assert never_starts(code) is (outlook is Outlook.NEVER)


def test_of_a_reason_that_is_not_known_nothing_is_concluded() -> None:
    assert reason_of("AReasonToCome") is None
    assert not never_starts("AReasonToCome")


@pytest.mark.parametrize(
    ("state", "reason", "words"),
    [
        ("CANCELLED by 1000", "", "It was cancelled."),
        ("CANCELLED+", "None", "It was cancelled."),
        ("TIMEOUT", "TimeLimit", "It reached its time limit. (TimeLimit)"),
        ("SPECIAL_EXIT", "", "It ended (SPECIAL_EXIT)."),
        ("TELEPORTED", "exit code 1:0", "It ended (TELEPORTED). (exit code 1:0)"),
    ],
)
def test_why_a_job_ended(state: str, reason: str, words: str) -> None:
    assert end_sentence(state, reason) == words


@pytest.mark.parametrize(
    ("state", "reason", "cause"),
    [
        ("COMPLETED", "None", EndCause.DONE),
        ("CANCELLED by 0", "", EndCause.CANCELLED),
        ("CANCELLED", "BadConstraints", EndCause.CANCELLED),
        ("TIMEOUT", "TimeLimit", EndCause.TIME_LIMIT),
        ("PREEMPTED", "", EndCause.PREEMPTED),
        ("NODE_FAIL", "NodeDown", EndCause.NODE_FAILED),
        ("BOOT_FAIL", "", EndCause.NODE_FAILED),
        ("OUT_OF_MEMORY", "OutOfMemory", EndCause.OUT_OF_MEMORY),
        ("DEADLINE", "DeadLine", EndCause.NEVER_STARTED),
        ("FAILED", "NonZeroExitCode", EndCause.FAILED),
        ("FAILED", "exit code 1:0", EndCause.FAILED),
        ("FAILED", "BadConstraints", EndCause.NEVER_STARTED),
        ("FAILED", "PartitionDown", EndCause.NEVER_STARTED),
        ("FAILED", "JobLaunchFailure", EndCause.NODE_FAILED),
        ("FAILED", "OutOfMemory", EndCause.OUT_OF_MEMORY),
        ("TELEPORTED", "", EndCause.FAILED),
    ],
)
def test_what_an_end_means(state: str, reason: str, cause: EndCause) -> None:
    assert end_cause(state, reason) is cause
