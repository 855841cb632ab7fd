"""`ligan init`: the file it writes passes `ligan doctor`, on a fake and on a real Slurm; systemd takes its unit."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from ligan.settings import load_settings
from master_daemon.cluster.command import CommandError, CommandMissingError, Completed
from master_daemon.site_file import command, service
from master_daemon.site_file.service import Service, unit
from tests.cluster_fixture import SlurmCluster
from tests.faults.cluster import FakeCluster
from tests.ligan_command import ligan
from tests.master_daemon.site_file.test_plan import SHOWN, SINFO

Init = Callable[..., int]


def answers(argv: Sequence[str], stdin: str = "", timeout_s: float = 0) -> Completed:
    """A Slurm whose accounting lets nobody ask."""
    if argv[0] == "sacctmgr":
        raise CommandError(argv, 1, "", "Access denied\n")
    said = {"partition": SHOWN, "config": "SLURM_VERSION = 23.02.7\n", "node": "NodeName=a NodeAddr=127.0.0.1 \n"}
    return Completed(SINFO if argv[0] == "sinfo" else said[argv[-1]], "")


def missing(argv: Sequence[str], stdin: str = "", timeout_s: float = 0) -> Completed:
    raise CommandMissingError(argv, None, "", "No such file or directory")


@pytest.fixture
def init(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Init:
    """`ligan init site.toml OPTIONS` in an empty home."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)

    def call(*options: str, run: Callable[..., Completed] = answers) -> int:
        parser = argparse.ArgumentParser()
        command.add_arguments(parser)
        return command.init(parser.parse_args([str(tmp_path / "site.toml"), *options]), run)

    return call


def test_it_says_what_it_found_and_guessed(init: Init, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init() == 0
    said = capsys.readouterr().out
    assert "found    backend.partition = fast" in said
    assert "guessed  backend.time_limit = 01:00:00" in said
    assert "not told sacctmgr: exit status 1 (Access denied)" in said
    assert load_settings(tmp_path / "site.toml").backend.partition == "fast"


def test_for_scripts(init: Init, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init("--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["file"], told["service"]) == (str(tmp_path / "site.toml"), None)
    assert {"section", "key", "value", "basis", "why"} == set(told["choices"][0])


def test_nothing_is_overwritten_unless_forced(init: Init, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    site = tmp_path / "site.toml"
    site.write_text("# mine\n")
    assert init() == 1
    assert "--force overwrites it" in capsys.readouterr().err
    assert site.read_text() == "# mine\n"
    assert init("--force") == 0
    assert "fast" in site.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["site.toml"]


def test_without_slurm_nothing_is_written(init: Init, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert init(run=missing) == 1
    assert "scontrol: cannot be started" in (said := capsys.readouterr().err)
    assert "on a single machine no site file is needed" in said
    assert list(tmp_path.iterdir()) == []


def test_the_unit_is_written_beside_a_site_file_that_is_kept(
    init: Init, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "site.toml").write_text("# mine\n")
    assert init("--service", "--state-dir", str(tmp_path / "state"), run=missing) == 0
    written = (tmp_path / ".config/systemd/user/ligan.service").read_text()
    assert f'--config "{tmp_path}/site.toml" --state-dir "{tmp_path}/state"' in written
    said = capsys.readouterr().out
    assert said.startswith(f"{tmp_path}/site.toml is kept.\n")
    assert f"Next: ligan doctor --config {tmp_path}/site.toml --state-dir {tmp_path}/state; systemctl --user" in said
    assert init("--service", run=missing) == 1
    assert (tmp_path / "site.toml").read_text() == "# mine\n"


ODD = Service(
    ("/opt/li gan/bin/ligan",), Path('/etc/a "b" 100% $HOME\\x'), Path("/var/lib/ligan"), {"PATH": "/a b:/c$d%"}
)


def test_words_of_the_unit_are_quoted() -> None:
    text = unit(ODD)
    assert 'ExecStart="/opt/li gan/bin/ligan" up --config "/etc/a \\"b\\" 100%% $$HOME\\\\x"' in text
    assert 'Environment="PATH=/a b:/c$d%%"' in text
    assert "@" not in "".join(line for line in text.splitlines() if not line.startswith("#"))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd-analyze here")
def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    path = tmp_path / "ligan.service"
    path.write_text(unit(Service((sys.executable,), tmp_path / "site.toml", tmp_path, {"PATH": "/usr/bin"})))
    argv = ("systemd-analyze", "--user", "verify", "--man=no", str(path))
    environment = {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path), "SYSTEMD_LOG_LEVEL": "warning"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode, done.stderr.strip()) == (0, "")
    path.write_text(path.read_text().replace("KillMode=process", "KillMode=nonsense"))
    assert "kill mode" in subprocess.run(argv, capture_output=True, text=True, timeout=60, env=environment).stderr


def test_the_unit_runs_this_ligan() -> None:
    made = service.this_service(Path("/site.toml"), Path("/state"))
    done = subprocess.run((*made.ligan, "--version"), capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.startswith("ligan ")
    assert made.environment["PATH"] == os.environ["PATH"]


def test_against_a_fake_slurm(tmp_path: Path) -> None:
    folder = tmp_path / "fake"
    folder.mkdir()
    cluster = FakeCluster(folder)
    try:
        environment = dict(cluster.environment())
        done = ligan("init", tmp_path / "site.toml", environment=environment)
        assert done.returncode == 0, done.stderr
        words = ("doctor", "--quick", "--json", "--config", tmp_path / "site.toml", "--state-dir", tmp_path / "state")
        found = json.loads(ligan(*words, environment=environment).stdout)
        # It tells nothing of its nodes' addresses, and this machine's name need not be known to any network.
        assert {finding["check"] for finding in found if finding["health"] == "failed"} <= {"cluster_host"}
        assert {"backend dry run", "backend gres"} <= {finding["check"] for finding in found}
    finally:
        cluster.stop()


def test_on_a_real_cluster_the_doctor_is_content(slurm_cluster: SlurmCluster, user_folder: Path) -> None:
    ligan_of_user = (*slurm_cluster.user_python(), "-m", "ligan")
    site, state = str(user_folder / "site.toml"), str(user_folder / "state")
    told = json.loads(slurm_cluster.run_as_user(*ligan_of_user, "init", site, "--json"))
    chosen = {f"{one['section']}.{one['key']}": (one["value"], one["basis"]) for one in told["choices"]}
    assert chosen["daemon.cluster_host"] == (slurm_cluster.login_address, "found")
    assert chosen["backend.partition"] == ("gpu", "found")
    assert chosen["frontend.partition"] == ("cpu", "found")
    doctor = (*ligan_of_user, "doctor", "--quick", "--json", "--config", site, "--state-dir", state)
    found = json.loads(slurm_cluster.run_as_user(*doctor))  # its exit status is 0: nothing failed
    assert [finding for finding in found if finding["health"] == "failed"] == []
    assert {"frontend dry run", "backend dry run"} <= {finding["check"] for finding in found}


def test_help_teaches_with_examples() -> None:
    shown = ligan("init", "--help", environment={}).stdout
    assert "  ligan init " in shown.partition("examples:")[2]
    assert "Exit status: 0" in shown
