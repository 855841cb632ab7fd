"""Tests say the same wherever they are started."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import surroundings

ROOT = Path(__file__).parents[1]
UNIX_SOCKET = "tests/ligan/web/http/test_server.py::test_a_unix_socket"
DEAD = "http://127.0.0.1:9"
ODD = {
    **dict.fromkeys(("http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"), DEAD),
    "LIGAN_TOKEN": "theirs",
    "LIGAN_SERVER": DEAD,
    "LIGAN_JOB": "j-1",
    "XDG_STATE_HOME": "/nowhere",
    "SLURM_CONF": "/nowhere",
    "SLURMD_NODENAME": "n1",
    "SQUEUE_FORMAT": "%i",
    "SLURM_TIME_FORMAT": "relative",
    "WORLD_SIZE": "4",
    "RANK": "3",
    "PGHOST": "nowhere",
    "PGSERVICE": "theirs",
    "GIT_DIR": os.devnull,
    "APPTAINER_BIND": "/nowhere",
    "APPTAINERENV_PATH": "/nowhere",
    "SSH_AUTH_SOCK": "/nowhere",
    "COLUMNS": "20",
}
KEPT = {"PATH": "/bin", "LIGAN_TEST_CLUSTER": "/var/here", "APPTAINER_ROOT": "/opt/here", "CUDA_VISIBLE_DEVICES": "1"}


def test_nothing_is_left_of_what_would_change_them() -> None:
    left = surroundings.settled(ODD | KEPT)
    assert KEPT.items() <= left.items()
    assert {name for name in left if name in ODD} == {"http_proxy", "HTTP_PROXY", "https_proxy", "ALL_PROXY"}


def test_who_needs_a_proxy_goes_past_it_here() -> None:
    left = surroundings.settled({"NO_PROXY": "campus.example"})
    assert left["NO_PROXY"] == "campus.example,localhost,127.0.0.0/8,::1,10.77.0.0/16"
    assert left["no_proxy"] == "localhost,127.0.0.0/8,::1,10.77.0.0/16"


@pytest.mark.parametrize(("folder", "fit"), [("/scratch/me", True), ("/x" * 20, False), ("/my files", False)])
def test_temporary_files_lie_where_sockets_can(folder: str, fit: bool) -> None:
    assert surroundings.is_fit_for_sockets(folder) == fit


@pytest.fixture
def odd_folder() -> Iterator[Path]:
    """A home and a place for temporary files, with what an earlier user of the same name left."""
    with tempfile.TemporaryDirectory(prefix="odd-", dir="/tmp") as folder:
        (Path(folder) / ".netrc").write_text("machine 127.0.0.1 login theirs password theirs\n")
        theirs = Path(folder) / f"pytest-of-{getpass.getuser()}"
        theirs.mkdir()
        if os.geteuid() == 0:
            shutil.chown(theirs, "nobody")
        yield Path(folder)


@pytest.mark.parametrize("deep", ["", "a place for the files of a batch job/of-somebody-with-a-long-name"])
def test_they_pass_in_an_odd_environment(odd_folder: Path, deep: str) -> None:
    some = ("tests/ligan/test_doorbell.py", "tests/master_daemon/developer_command/test_folder.py", UNIX_SOCKET)
    (temporary := odd_folder / deep).mkdir(parents=True, exist_ok=True)
    argv = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *some)
    theirs = {"HOME": str(odd_folder), "TMPDIR": str(temporary), "NO_PROXY": "", "no_proxy": "", "NETRC": ""}
    environment = {**os.environ, **theirs, **ODD}
    done = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stdout[-3000:]
