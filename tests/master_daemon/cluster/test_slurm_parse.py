"""Slurm's answers, good and bad; the samples are what Slurm 22.05 printed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from master_daemon.cluster import sacct, sbatch, squeue
from master_daemon.cluster.command import CommandError, CommandMissingError, CommandTimeoutError, Completed
from master_daemon.cluster.manager import JobPhase, JobRequest, JobStatus, SubmitRefusedError, SubmitUnknownError
from master_daemon.cluster.site import SlurmSite
from master_daemon.cluster.slurm_cli import SlurmCliManager
from tests.master_daemon.cluster.jobs import request

HEADER = "\x1eJOBID\x1fSTATE\x1fTIME_LEFT\x1fSTART_TIME\x1fREASON\x1fNAME\x1f\n"
NOW = 1_800_000_000.0


def row(job_id: str, state: str, left: str, reason: str, name: str, start: str = "N/A") -> str:
    return "\x1e" + "".join(f"{field}\x1f" for field in (job_id, state, left, start, reason, name)) + "\n"


PENDING = row("7", "PENDING", "10:00", "Resources", "ligan-backend-aa")
RUNNING = row("8", "RUNNING", "9:58", "None", "ligan-frontend-bb-1")
TIMED_OUT = row("9", "TIMEOUT", "INVALID", "TimeLimit", "ligan-backend-cc")


# ---- squeue


def test_a_listing() -> None:
    assert squeue.parse_listing(HEADER + PENDING + RUNNING + TIMED_OUT, NOW) == {
        "aa": JobStatus("aa", "7", JobPhase.PENDING, "PENDING", "Resources"),
        "bb-1": JobStatus("bb-1", "8", JobPhase.RUNNING, "RUNNING", "", 598),
        "cc": JobStatus("cc", "9", JobPhase.ENDED, "TIMEOUT", "TimeLimit"),
    }


@pytest.mark.parametrize(
    ("state", "start", "expected"),
    [
        ("PENDING", "1800000060", NOW + 60),
        ("PENDING", "1800000000", None),
        ("PENDING", "1799999999", None),
        ("PENDING", "N/A", None),
        ("RUNNING", "1800000060", None),
        ("TIMEOUT", "1800000060", None),
    ],
)
def test_only_a_job_that_waits_has_an_expected_start_and_only_in_the_future(
    state: str, start: str, expected: float | None
) -> None:
    listing = squeue.parse_listing(HEADER + row("7", state, "9:58", "Priority", "ligan-backend-aa", start), NOW)
    assert listing["aa"].expected_start == expected


def test_a_job_put_back_into_the_queue_waits_again_under_its_id() -> None:
    names = ("8", "PENDING", "10:00", "BeginTime", "ligan-frontend-bb-1")
    before = squeue.parse_listing(HEADER + RUNNING, NOW)["bb-1"]
    after = squeue.parse_listing(HEADER + row(*names), NOW)["bb-1"]
    assert (before.job_id, before.phase) == (after.job_id, JobPhase.RUNNING)
    assert after.phase is JobPhase.PENDING


def test_a_header_alone_is_a_good_answer() -> None:
    assert squeue.parse_listing(HEADER, NOW) == {}


def test_jobs_of_others_are_passed_over_whatever_their_names() -> None:
    foreign = row("3_[1-5]", "PENDING", "1-00:00:00", "Priority", "sweep") + row(
        "4", "RUNNING", "0:59", "None", "a\nb|c"
    )
    assert set(squeue.parse_listing(HEADER + foreign + PENDING, NOW)) == {"aa"}


@pytest.mark.parametrize(
    "answer",
    [
        "",
        "\n",
        PENDING,
        "slurm_load_jobs error: Unable to contact slurm controller\n",
        "module: command not found\n" + HEADER,
        HEADER + PENDING[:-1],
        HEADER + PENDING[:-4],
        HEADER + RUNNING[:10],
        HEADER + row("x", "RUNNING", "9:58", "None", "ligan-backend-aa"),
        HEADER + row("7", "RUNNING", "later", "None", "ligan-backend-aa"),
        HEADER + row("7", "PENDING", "9:58", "None", "ligan-backend-aa", start="2027-01-15T08:00:00"),
        HEADER + row("7", "PENDING", "9:58", "None", "ligan-backend-aa", start=""),
    ],
)
def test_an_answer_that_is_not_whole_is_no_answer(answer: str) -> None:
    with pytest.raises(ValueError, match="squeue"):
        squeue.parse_listing(answer, NOW)


def test_every_cut_through_an_answer_is_seen() -> None:
    answer = HEADER + PENDING + RUNNING
    whole = {len(HEADER), len(HEADER + PENDING), len(answer)}
    for length in set(range(len(answer))) - whole:
        with pytest.raises(ValueError, match="squeue"):
            squeue.parse_listing(answer[:length], NOW)


@pytest.mark.parametrize(
    "rows",
    [
        (
            row("9", "CANCELLED", "0:00", "None", "ligan-backend-aa"),
            row("8", "RUNNING", "9:58", "None", "ligan-backend-aa"),
        ),
        (
            row("8", "PENDING", "9:58", "None", "ligan-backend-aa"),
            row("7", "FAILED", "0:00", "None", "ligan-backend-aa"),
        ),
        (
            row("8", "FAILED", "9:58", "None", "ligan-backend-aa"),
            row("7", "FAILED", "0:00", "None", "ligan-backend-aa"),
        ),
    ],
)
def test_of_two_jobs_with_one_nonce_the_live_or_newer_counts(rows: tuple[str, str]) -> None:
    for order in (rows, rows[::-1]):
        assert squeue.parse_listing(HEADER + "".join(order), NOW)["aa"].job_id == "8"


# ---- sbatch


@pytest.mark.parametrize(("answer", "job_id"), [("4711\n", "4711"), ("4711;cluster\n", "4711")])
def test_a_job_id(answer: str, job_id: str) -> None:
    assert sbatch.parse_job_id(answer) == job_id


@pytest.mark.parametrize("answer", ["", "Submitted batch job 4711\n", "4711 4712\n", "quota: 90 %\n4711\n"])
def test_a_good_end_without_a_job_id_is_not_known(answer: str) -> None:
    with pytest.raises(SubmitUnknownError, match="no job ID"):
        sbatch.parse_job_id(answer)


@pytest.mark.parametrize("refusal", sbatch.REFUSALS, ids=lambda refusal: refusal.pattern)
def test_each_refusal_against_its_own_sample(refusal: sbatch.Refusal) -> None:
    assert re.search(refusal.pattern, refusal.sample)
    verdict = sbatch.verdict(CommandError(sbatch.ARGV, 1, "", refusal.sample + "\n"))
    assert isinstance(verdict, SubmitRefusedError)
    assert str(verdict) == refusal.sample


@pytest.mark.parametrize(
    "stderr",
    [
        "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation",
        "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)",
        "sbatch: error: Batch job submission failed: Zero Bytes were transmitted or received",
        "sbatch: error: Batch job submission failed: Unexpected message received",
        "sbatch: error: Slurm temporarily unable to accept job, sleeping and retrying",
        "sbatch: error: Batch job submission failed: a sentence of a release to come",
        "Segmentation fault",
        "",
    ],
)
def test_whatever_is_no_known_refusal_is_not_known(stderr: str) -> None:
    assert isinstance(sbatch.verdict(CommandError(sbatch.ARGV, 1, "", stderr)), SubmitUnknownError)


def test_a_time_out_is_not_known_whatever_was_printed_before() -> None:
    error = CommandTimeoutError(sbatch.ARGV, None, "", sbatch.REFUSALS[0].sample)
    assert isinstance(sbatch.verdict(error), SubmitUnknownError)


def test_without_sbatch_nothing_was_queued() -> None:
    verdict = sbatch.verdict(CommandMissingError(sbatch.ARGV, None, "", "No such file or directory: 'sbatch'"))
    assert isinstance(verdict, SubmitRefusedError)
    assert "installed" in str(verdict)


# ---- the manager over canned answers

Answer = str | Completed | CommandError


class Canned:
    """Answers each command with the next of its answers, the last one again and again."""

    def __init__(self, **answers: list[Answer]) -> None:
        self.calls: list[tuple[str, ...]] = []
        self._answers = answers

    def __call__(self, argv: Sequence[str], stdin: str = "", timeout_s: float = 0) -> Completed:
        self.calls.append(tuple(argv))
        answers = self._answers[command_of(argv)]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, CommandError):
            raise answer
        return answer if isinstance(answer, Completed) else Completed(answer, "")

    def count(self, command: str) -> int:
        return sum(command_of(call) == command for call in self.calls)


def command_of(argv: Sequence[str]) -> str:
    """The command itself, with env(1) before it or not."""
    return next(word for word in argv if word != "env" and "=" not in word)


NO_ACCOUNTS = "AccountingStorageType   = accounting_storage/none\n"
ACCOUNTS = "AccountingStorageHost   = db\nAccountingStorageType   = accounting_storage/slurmdbd\n"


def manager(**answers: list[Answer]) -> tuple[SlurmCliManager, Canned]:
    commands = Canned(**{"scontrol": [NO_ACCOUNTS], **answers})
    site = SlurmSite(Path("/logs"), partitions={"backend": "gpu"})
    return SlurmCliManager(site, commands), commands


@pytest.mark.parametrize(
    "answer",
    [
        CommandError(squeue.ARGV, 1, "", "slurm_load_jobs error: Socket timed out on send/recv operation"),
        CommandError(squeue.ARGV, 1, HEADER, ""),
        CommandTimeoutError(squeue.ARGV, None, HEADER, ""),
        CommandMissingError(squeue.ARGV, None, "", ""),
        Completed(HEADER, "slurm_load_jobs error: Unexpected message received\n"),
        "",
    ],
)
def test_every_failed_listing_is_dont_know(answer: Answer) -> None:
    slurm, _ = manager(squeue=[answer])
    assert slurm.listing() is None


def test_one_squeue_lists_all_jobs() -> None:
    slurm, commands = manager(squeue=[HEADER + PENDING + RUNNING])
    assert set(slurm.listing() or ()) == {"aa", "bb-1"}
    assert commands.calls == [squeue.ARGV]


def test_nothing_right_after_live_jobs_is_doubted_once() -> None:
    slurm, _ = manager(squeue=[HEADER + RUNNING, HEADER, HEADER, HEADER])
    assert set(slurm.listing() or ()) == {"bb-1"}
    assert slurm.listing() is None
    assert slurm.listing() == {}
    assert slurm.listing() == {}


def test_nothing_right_after_ended_jobs_is_no_wonder() -> None:
    slurm, _ = manager(squeue=[HEADER + TIMED_OUT, HEADER])
    slurm.listing()
    assert slurm.listing() == {}


def test_accounts_are_asked_only_where_they_are_kept() -> None:
    slurm, commands = manager(squeue=[HEADER + RUNNING + PENDING, HEADER + PENDING, HEADER + RUNNING, HEADER + PENDING])
    for _ in range(4):
        slurm.listing()
    assert (commands.count("scontrol"), commands.count("sacct")) == (1, 0)


def test_accounts_tell_how_a_job_ended_that_squeue_forgot() -> None:
    record = "8\x1fOUT_OF_MEMORY\x1f0:125\x1fligan-frontend-bb-1\n"
    slurm, commands = manager(
        squeue=[HEADER + RUNNING + PENDING, HEADER + PENDING], scontrol=[ACCOUNTS], sacct=[record]
    )
    slurm.listing()
    listing = slurm.listing()
    assert listing is not None
    assert listing["bb-1"] == JobStatus("bb-1", "8", JobPhase.ENDED, "OUT_OF_MEMORY", "exit code 0:125")
    assert listing["aa"].phase is JobPhase.PENDING
    assert (*sacct.ARGV, "--jobs=8") in commands.calls


@pytest.mark.parametrize(
    "answer",
    [
        CommandError(sacct.ARGV, 1, "", "Slurm accounting storage is disabled"),
        "8\x1fRUNNING\x1f0:0\x1fligan-frontend-bb-1\n",
        "8|CANCELLED by 0|0:0|ligan-frontend-bb-1\n",
        "",
    ],
)
def test_without_a_clear_word_of_the_accounts_a_job_is_only_missing(answer: Answer) -> None:
    slurm, _ = manager(squeue=[HEADER + RUNNING + PENDING, HEADER + PENDING], scontrol=[ACCOUNTS], sacct=[answer])
    slurm.listing()
    assert set(slurm.listing() or ()) == {"aa"}


def test_a_cancelled_job_in_the_accounts() -> None:
    ended = sacct.parse_ended("8\x1fCANCELLED by 1000\x1f0:0\x1fligan-backend-aa\n9\x1fFAILED\x1f1:0\x1fother\n")
    assert ended == {"aa": JobStatus("aa", "8", JobPhase.ENDED, "CANCELLED")}


@pytest.mark.parametrize(
    ("answer", "taken"),
    [
        ("", True),
        (
            CommandError(["scancel"], 1, "", "scancel: error: Kill job error on job id 7: Invalid job id specified"),
            True,
        ),
        (
            CommandError(
                ["scancel"],
                1,
                "",
                "scancel: error: Kill job error on job id 7: Job/step already completing or completed",
            ),
            True,
        ),
        (
            CommandError(["scancel"], 210, "", "scancel: error: Kill job error on job id 7: Access/permission denied"),
            False,
        ),
        (
            CommandError(["scancel"], 1, "", "scancel: error: Unable to contact slurm controller (connect failure)"),
            False,
        ),
        (CommandTimeoutError(["scancel"], None, "", ""), False),
    ],
)
def test_cancel(answer: Answer, taken: bool) -> None:
    slurm, commands = manager(scancel=[answer])
    assert slurm.cancel("7") is taken
    assert commands.calls == [("scancel", "7")]


def test_a_role_without_a_partition_is_refused_before_slurm_is_asked() -> None:
    slurm, commands = manager(sbatch=["1\n"])
    with pytest.raises(SubmitRefusedError, match="no partition for the role 'frontend'; roles with one: backend"):
        slurm.submit(request(role="frontend"))
    assert commands.calls == []


@pytest.mark.parametrize("nonce", ["", "../x", "a b", "a\nb", "-a", "x" * 81])
def test_a_nonce_that_would_not_be_found_again_is_refused(nonce: str) -> None:
    slurm, commands = manager(sbatch=["1\n"])
    with pytest.raises(SubmitRefusedError, match="would not be found again"):
        slurm.submit(JobRequest(nonce, "backend", ("true",), "", 60))
    assert commands.calls == []


def test_a_log_is_not_sought_outside_its_folder(tmp_path: Path) -> None:
    (tmp_path / "other.log").write_text("private")
    (tmp_path / "logs").mkdir()
    slurm = SlurmCliManager(SlurmSite(tmp_path / "logs", partitions={}))
    assert slurm.read_log("../other") == ""
