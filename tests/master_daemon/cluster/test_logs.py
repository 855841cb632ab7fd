"""The jobs' logs in their folder, here and by the commands that run on a login node: which are deleted, and when."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from master_daemon.cluster.command import run
from master_daemon.cluster.logs import LocalLogs, Logs, RemoteLogs
from master_daemon.cluster.manager import ResourceManager
from master_daemon.cluster.rest_client import RestClient
from master_daemon.cluster.site import SlurmSite
from master_daemon.cluster.slurm_cli import SlurmCliManager
from master_daemon.cluster.slurm_rest import SlurmRestManager

TAG, OTHER = "aaaaaa", "bbbbbb"
BEFORE = 1_800_000_000.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "job logs 100%j"
    made.mkdir()
    return made


@pytest.fixture(params=[LocalLogs, lambda folder: RemoteLogs(folder, run)], ids=["local", "remote"])
def logs(request: pytest.FixtureRequest, folder: Path) -> Logs:
    make: Callable[[Path], Logs] = request.param
    return make(folder)


def write(folder: Path, name: str, at: float) -> str:
    """A file last written then."""
    (folder / name).write_text("words\n")
    os.utime(folder / name, (at, at))
    return name


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_old_logs_of_ours_go_and_nothing_else(logs: Logs, folder: Path) -> None:
    ended = write(folder, f"{TAG}0001.log", BEFORE - 1)
    kept = {
        write(folder, f"{TAG}0002.log", BEFORE + 1),
        write(folder, f"{TAG}0003.log", BEFORE - 9),  # its job lives, and has said nothing for long
        write(folder, f"{OTHER}0001.log", BEFORE - 9),
        write(folder, f"{TAG}0004.txt", BEFORE - 9),
        write(folder, f"{TAG} notes.log", BEFORE - 9),
        write(folder, "dry-run.log", BEFORE - 9),
    }
    (folder / f"{TAG}0005.log").mkdir()
    os.utime(folder / f"{TAG}0005.log", (BEFORE - 9, BEFORE - 9))
    (folder / f"{TAG}0006.log").symlink_to(folder / "dry-run.log")
    assert ended in names(folder)
    logs.forget(TAG, BEFORE, {f"{TAG}0003"})
    assert names(folder) == {*kept, f"{TAG}0005.log", f"{TAG}0006.log"}


def test_thousands_are_deleted_in_one_go(logs: Logs, folder: Path) -> None:
    for number in range(1200):
        write(folder, f"{TAG}{number:016}.log", BEFORE - 1)
    logs.forget(TAG, BEFORE, ())
    assert names(folder) == set()


def test_a_folder_that_is_not_there_is_said_and_harms_nothing(
    logs: Logs, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.rmdir()
    logs.forget(TAG, BEFORE, ())
    assert "old logs stay" in caplog.text


def test_a_log_is_read_by_its_nonce_and_by_nothing_else(logs: Logs, folder: Path) -> None:
    write(folder, f"{TAG}0001.log", BEFORE)
    (folder.parent / "private.log").write_text("private")
    assert logs.path(f"{TAG}0001") == folder / f"{TAG}0001.log"
    assert logs.tail(f"{TAG}0001", 3) == "ds\n"
    assert logs.tail("../private", 100) == ""


@pytest.mark.parametrize("kind", ["slurm_cli", "slurm_rest"])
def test_managers_keep_them_where_their_site_says(kind: str, folder: Path) -> None:
    site = SlurmSite(folder, {"backend": "gpu"})
    rest = SlurmRestManager(site, RestClient("unix:/nowhere"))
    manager: ResourceManager = SlurmCliManager(site) if kind == "slurm_cli" else rest
    write(folder, f"{TAG}0001.log", BEFORE - 1)
    assert manager.read_log(f"{TAG}0001") == "words\n"
    manager.forget_logs(TAG, BEFORE, ())
    assert manager.read_log(f"{TAG}0001") == ""
