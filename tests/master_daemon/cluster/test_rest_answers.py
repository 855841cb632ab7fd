"""slurmrestd's answers, good and bad; the samples are what slurmrestd 22.05 said, or SchedMD's schema of later ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from master_daemon.cluster import rest_job
from master_daemon.cluster.manager import JobPhase, JobStatus, SubmitRefusedError, SubmitUnknownError
from master_daemon.cluster.option import megabytes
from master_daemon.cluster.rest_client import Answer, NoAnswerError, read_answer
from master_daemon.cluster.slurm_rest import parse_listing, verdict
from tests.master_daemon.cluster.jobs import request

NOW = 1_800_000_000.0
ENVIRONMENT = {"PATH": "/bin", "SLURM_UMASK": "0077"}


def job(**changes: Any) -> dict[str, Any]:
    """A running job of ours."""
    usual = {
        "job_id": 8,
        "name": "ligan-backend-aa",
        "user_name": "ligan-test",
        "job_state": "RUNNING",
        "state_reason": "None",
        "state_description": "",
        "start_time": int(NOW) - 2,
        "end_time": int(NOW) + 598,
        "time_limit": 10,
        "restart_cnt": 0,
    }
    return {**usual, **changes}


def answer(status: int = 200, **body: Any) -> Answer:
    return read_answer(status, json.dumps({"meta": {}, "errors": [], **body}).encode())


def listed(*jobs: dict[str, Any]) -> Mapping[str, JobStatus]:
    return parse_listing(answer(jobs=list(jobs)), "ligan-test", NOW)


# ---- listing


def test_a_listing_of_ours_among_those_of_others() -> None:
    jobs = listed(
        job(),
        job(job_id=9, name="ligan-backend-bb", job_state="PENDING", state_reason="Priority", start_time=int(NOW) + 60),
        job(job_id=10, name="ligan-backend-cc", job_state="TIMEOUT", state_reason="TimeLimit"),
        job(job_id=11, name="ligan-backend-dd", user_name="somebody"),
        job(job_id=12, name="sweep"),
        {"name": None},
    )
    assert jobs == {
        "aa": JobStatus("aa", "8", JobPhase.RUNNING, "RUNNING", "", 598),
        "bb": JobStatus("bb", "9", JobPhase.PENDING, "PENDING", "Priority", expected_start=NOW + 60),
        "cc": JobStatus("cc", "10", JobPhase.ENDED, "TIMEOUT", "TimeLimit"),
    }


def test_a_listing_as_later_releases_write_it() -> None:
    def number(value: int, **changes: bool) -> dict[str, Any]:
        return {"set": True, "infinite": False, "number": value, **changes}

    later = job(
        job_state=["CANCELLED", "COMPLETING"],
        start_time=number(int(NOW) - 2),
        end_time=number(int(NOW) + 598),
        time_limit=number(10),
        restart_cnt=2,
    )
    assert listed(later)["aa"] == JobStatus("aa", "8", JobPhase.RUNNING, "COMPLETING", "", 598, restarts=2)
    assert listed({**later, "time_limit": number(0, infinite=True)})["aa"].remaining_s is None


@pytest.mark.parametrize("limit", [None, 0xFFFFFFFF, 0xFFFFFFFE])
def test_a_job_without_a_limit_has_no_remaining_time(limit: int | None) -> None:
    assert listed(job(time_limit=limit))["aa"].remaining_s is None


def test_no_jobs_is_a_good_answer() -> None:
    assert listed() == {}


@pytest.mark.parametrize(
    "bad",
    [
        answer(),
        answer(jobs=None),
        answer(jobs={}),
        answer(500, jobs=[]),
        answer(jobs=[], errors=[{"error_number": 1800, "error": "Unable to contact slurm controller"}]),
        answer(jobs=[], errors=[{"error_code": -1, "error": "Unspecified error"}]),
        answer(jobs=[job(job_id=None)]),
        answer(jobs=[job(job_id="8")]),
        answer(jobs=[job(end_time="soon")]),
        answer(jobs=[job(job_state=[])]),
        answer(jobs=[job(job_state=None)]),
        answer(jobs=[{"name": "ligan-backend-aa", "user_name": "ligan-test"}]),
        answer(jobs=[None]),
        read_answer(401, b"Authentication failure"),
    ],
)
def test_an_answer_that_is_not_whole_is_no_answer(bad: Answer) -> None:
    with pytest.raises(ValueError, match=r"slurmrestd|not a|without a state"):
        parse_listing(bad, "ligan-test", NOW)


@pytest.mark.parametrize("content", [b"", b"{", b"Unable find requested URL.", b"[]", b"null", b'{"errors": 5}'])
def test_what_is_not_slurmrestds_json_is_no_answer(content: bytes) -> None:
    with pytest.raises(NoAnswerError):
        read_answer(200, content)


# ---- submit


def test_a_job_id_counts_whatever_is_remarked() -> None:
    assert verdict(answer(job_id=4711)) == "4711"
    assert verdict(answer(job_id=4711, errors=[{"error_code": 2016, "error": "Requested nodes are busy"}])) == "4711"


@pytest.mark.parametrize(
    ("errors", "words"),
    [
        ([{"error_code": 2000, "error": "Invalid partition name specified"}], "Invalid partition name"),
        (
            [
                {"error": "Invalid SIGNAL specification", "error_code": -1},
                {"description": "Unable to process key", "error_number": -1, "error": "Unspecified error"},
                {"error_code": 9001, "error": "Failure during parsing"},
            ],
            "Invalid SIGNAL specification; Unable to process key; Failure during parsing",
        ),
        ([{"description": 'Unknown key "x"'}, {"error_code": 9001, "error": "Failure during parsing"}], "Unknown key"),
    ],
)
def test_known_refusals(errors: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(SubmitRefusedError, match=words):
        verdict(answer(500, errors=errors))


def test_a_refused_token_queued_nothing() -> None:
    with pytest.raises(SubmitRefusedError, match="scontrol token"):
        verdict(read_answer(401, b"Authentication failure"))


@pytest.mark.parametrize(
    "unclear",
    [
        answer(),
        answer(job_id=0),
        answer(job_id=None),
        answer(500),
        answer(500, errors=[{"error_code": 1800, "error": "Unable to contact slurm controller (connect failure)"}]),
        answer(500, errors=[{"error_code": 5004, "error": "Socket timed out on send/recv operation"}]),
        answer(500, errors=[{"error_code": -1, "error": "Unspecified error"}]),
        answer(500, errors=[{"error_code": 2000, "error": "Invalid"}, {"error_number": 5004, "error": "Timed out"}]),
        answer(500, errors=[{"error_code": 9003, "error": "Nothing found"}]),
        answer(500, errors=[{"error": "without a number"}]),
    ],
)
def test_whatever_is_no_known_refusal_is_not_known(unclear: Answer) -> None:
    with pytest.raises(SubmitUnknownError):
        verdict(unclear)


OPTIONS = ("--partition=gpu", "--chdir=/logs", "--gres=gpu:1", "--cpus-per-task=4", "--mem=16G", "--account=faces")


def test_the_fields_of_a_job() -> None:
    wanted = request(time_limit_s=3601)
    fields = rest_job.job_fields(rest_job.DIALECTS["v0.0.38"], wanted, Path("/logs/100%/a.log"), OPTIONS, ENVIRONMENT)
    assert fields == {
        "name": wanted.name,
        "standard_output": "/logs/100%%/a.log",
        "open_mode": "append",
        "no_requeue": True,
        "time_limit": 61,
        "environment": ENVIRONMENT,
        "partition": "gpu",
        "current_working_directory": "/logs",
        "gres": "gpu:1",
        "cpus_per_task": 4,
        "memory_per_node": 16384,
        "account": "faces",
    }


def test_the_fields_of_a_job_as_later_releases_want_them() -> None:
    fields = rest_job.job_fields(rest_job.DIALECTS["v0.0.41"], request(), Path("/logs/a"), OPTIONS, ENVIRONMENT)
    assert fields["environment"] == ["PATH=/bin", "SLURM_UMASK=0077"]
    assert fields["memory_per_node"] == {"set": True, "infinite": False, "number": 16384}
    assert (fields["tres_per_node"], fields["open_mode"], fields["requeue"]) == ("gres/gpu:1", ["APPEND"], False)


def test_a_signal_and_several_resources_as_later_releases_want_them() -> None:
    options = ("--gres=gpu:a100:1,tmpfs:4", "--signal=B:TERM@90")
    fields = rest_job.job_fields(rest_job.DIALECTS["v0.0.42"], request(), Path("/logs/a"), options, ENVIRONMENT)
    assert fields["tres_per_node"] == "gres/gpu:a100:1,gres/tmpfs:4"
    assert fields["kill_warning_signal"] == "TERM"
    assert fields["kill_warning_delay"] == {"set": True, "infinite": False, "number": 90}
    assert fields["kill_warning_flags"] == ["BATCH_JOB"]


@pytest.mark.parametrize("option", ["--bogus=1", "-A faces", "--exclusive", "--mem=lots", "--cpus-per-task=two", ""])
def test_an_option_that_cannot_be_passed_on_is_refused(option: str) -> None:
    with pytest.raises(SubmitRefusedError, match="sbatch"):
        rest_job.job_fields(rest_job.DIALECTS["v0.0.38"], request(), Path("/logs/a"), (option,), {})


@pytest.mark.parametrize(("text", "size"), [("100", 100), ("100M", 100), ("4G", 4096), ("1T", 1048576), ("1K", 1)])
def test_amounts_of_memory(text: str, size: int) -> None:
    assert megabytes(text) == size


def test_the_newest_version_that_both_sides_know() -> None:
    def paths(*versions: str) -> list[str]:
        return [f"/slurm/{version}/job/submit" for version in versions] + ["/slurm/v0.0.99/jobs"]

    assert rest_job.newest_version(paths("v0.0.36", "v0.0.38", "v0.0.37")) == "v0.0.38"
    assert rest_job.newest_version(paths("v0.0.40", "v0.0.39", "v0.0.99")) == "v0.0.40"
    assert rest_job.newest_version(paths("v0.0.35")) is None
