"""The manager over pyslurm: against a module with its names, and against the real one where it is installed."""

from __future__ import annotations

import getpass
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ligan.settings import SettingsError
from master_daemon.cluster.manager import JobPhase, JobStatus, SubmitRefusedError, SubmitUnknownError
from master_daemon.cluster.site import SlurmSite
from master_daemon.cluster.slurm_pyslurm import SlurmPyslurmManager
from tests.cluster_fixture import SlurmCluster
from tests.master_daemon.cluster.jobs import ECHO, request, wait_for

NOW = 1_800_000_000.0


class RPCError(Exception):
    """As pyslurm's: a number of slurm_errno.h and its words."""

    def __init__(self, errno: int, words: str) -> None:
        super().__init__(words)
        self.errno = errno


@dataclass
class ListedJob:
    """As `pyslurm.Job` has it."""

    id: int = 8
    name: str | None = "ligan-backend-aa"
    user_name: str = getpass.getuser()
    state: str = "RUNNING"
    state_reason: str | None = "None"
    start_time: int | None = int(NOW) - 2
    time_limit: int | str | None = 10
    requeue_count: int | None = 0


class FakePyslurm(ModuleType):
    """A module with pyslurm's names that we use; it answers with `jobs` and `error`."""

    def __init__(self) -> None:
        super().__init__("pyslurm")
        self.jobs: list[Any] = []
        self.error: RPCError | None = None
        self.submitted: list[dict[str, Any]] = []
        self.cancelled: list[int] = []
        self.RPCError = RPCError
        module = self

        class Jobs(dict[int, Any]):
            @staticmethod
            def load() -> dict[int, Any]:
                module.fail()
                return dict(enumerate(module.jobs))

        class Job:
            def __init__(self, job_id: int) -> None:
                self.id = job_id

            def cancel(self) -> None:
                module.fail()
                module.cancelled.append(self.id)

        class JobSubmitDescription:
            def __init__(self, **fields: Any) -> None:
                self.fields = fields

            def submit(self) -> int:
                module.fail()
                module.submitted.append(self.fields)
                return 4711

        self.Jobs, self.Job, self.JobSubmitDescription = Jobs, Job, JobSubmitDescription

    def fail(self) -> None:
        if self.error:
            raise self.error


@pytest.fixture
def pyslurm(monkeypatch: pytest.MonkeyPatch) -> FakePyslurm:
    module = FakePyslurm()
    monkeypatch.setitem(sys.modules, "pyslurm", module)
    return module


@pytest.fixture
def slurm(pyslurm: FakePyslurm) -> SlurmPyslurmManager:
    site = SlurmSite(
        Path("/logs 100%"),
        {"backend": "gpu_fast,gpu"},
        {"backend": "gpu:a100"},
        extra_args={"backend": ("--comment=x",)},
        named={"backend": {"qos": "low", "reservation": "course", "signal": "B:TERM@60"}},
    )
    return SlurmPyslurmManager(site, clock=lambda: NOW)


def test_without_pyslurm_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyslurm", None)
    with pytest.raises(SettingsError, match=r"pip install the pyslurm of this Slurm release.*slurm_cli"):
        SlurmPyslurmManager(SlurmSite(Path("/logs"), {}))


def test_a_pyslurm_that_is_too_old_is_named(pyslurm: FakePyslurm) -> None:
    del pyslurm.JobSubmitDescription
    with pytest.raises(SettingsError, match="too old, it lacks JobSubmitDescription"):
        SlurmPyslurmManager(SlurmSite(Path("/logs"), {}))


def test_the_script_has_the_document_and_no_field_has_it(pyslurm: FakePyslurm, slurm: SlurmPyslurmManager) -> None:
    wanted = request(stdin="s3cret", time_limit_s=3601)
    assert slurm.submit(wanted) == "4711"
    (fields,) = pyslurm.submitted
    script, environment = fields.pop("script"), fields.pop("environment")
    assert "s3cret" in script
    assert environment["SLURM_UMASK"] == "0077"
    assert fields == {
        "name": wanted.name,
        "standard_output": f"/logs 100%%/{wanted.nonce}.log",
        "log_files_open_mode": "append",
        "time_limit": "61",
        "is_requeueable": False,
        "partitions": "gpu_fast,gpu",
        "working_directory": "/logs 100%",
        "gres_per_node": "gpu:a100:1",
        "qos": "low",
        "reservations": "course",
        "signal": "B:SIGTERM@60",
        "comment": "x",
    }


@pytest.mark.parametrize(("number", "error"), [(2000, SubmitRefusedError), (5004, SubmitUnknownError)])
def test_only_known_refusals_refuse(
    pyslurm: FakePyslurm, slurm: SlurmPyslurmManager, number: int, error: type[Exception]
) -> None:
    pyslurm.error = RPCError(number, "in Slurm's words")
    with pytest.raises(error, match="in Slurm's words"):
        slurm.submit(request())


def test_a_listing_of_ours_among_those_of_others(pyslurm: FakePyslurm, slurm: SlurmPyslurmManager) -> None:
    pyslurm.jobs = [
        ListedJob(),
        ListedJob(9, "ligan-backend-bb", state="PENDING", state_reason="Priority", start_time=int(NOW) + 60),
        ListedJob(10, "ligan-backend-cc", state="RUNNING", time_limit="UNLIMITED", requeue_count=1),
        ListedJob(11, "ligan-backend-dd", user_name="somebody"),
        ListedJob(12, None),
    ]
    assert slurm.listing() == {
        "aa": JobStatus("aa", "8", JobPhase.RUNNING, "RUNNING", "", 598),
        "bb": JobStatus("bb", "9", JobPhase.PENDING, "PENDING", "Priority", expected_start=NOW + 60),
        "cc": JobStatus("cc", "10", JobPhase.RUNNING, "RUNNING", restarts=1),
    }


def test_a_failed_listing_is_dont_know_and_so_is_a_first_empty_one(
    pyslurm: FakePyslurm, slurm: SlurmPyslurmManager
) -> None:
    pyslurm.jobs = [ListedJob()]
    assert set(slurm.listing() or ()) == {"aa"}
    pyslurm.error = RPCError(1800, "Unable to contact slurm controller")
    assert slurm.listing() is None
    pyslurm.error, pyslurm.jobs = None, []
    assert slurm.listing() is None
    assert slurm.listing() == {}


def test_a_job_of_another_shape_is_dont_know(pyslurm: FakePyslurm, slurm: SlurmPyslurmManager) -> None:
    pyslurm.jobs = [object()]
    assert slurm.listing() is None


@pytest.mark.parametrize(("number", "taken"), [(None, True), (2017, True), (2021, True), (2002, False), (1800, False)])
def test_cancel(pyslurm: FakePyslurm, slurm: SlurmPyslurmManager, number: int | None, taken: bool) -> None:
    pyslurm.error = RPCError(number, "in Slurm's words") if number else None
    assert slurm.cancel("7") is taken
    assert pyslurm.cancelled == ([] if number else [7])


@pytest.mark.skipif(importlib.util.find_spec("pyslurm") is None, reason="pyslurm is not installed")
def test_the_real_pyslurm(slurm_cluster: SlurmCluster, tmp_path: Path) -> None:
    slurm = SlurmPyslurmManager(SlurmSite(tmp_path, {"backend": "gpu"}, {"backend": "gpu:1"}))
    wanted = request(ECHO, stdin="hello\n")
    job_id = slurm.submit(wanted)
    assert wait_for(slurm, wanted.nonce, JobPhase.ENDED).job_id == job_id
    assert slurm.read_log(wanted.nonce) == "hello\n"
