"""Settings that go through SSH, and those that cannot."""

from pathlib import Path
from typing import Any

import pytest

from ligan.settings import Settings, SettingsError
from master_daemon.ssh.login_node import login_node

GOOD = {
    "ssh": {"host": "login", "port": 2222, "user": "faces", "key": "~/k"},
    "daemon": {"resource_manager": "slurm_cli", "log_dir": "/home/faces/logs", "cluster_host": "10.0.0.1"},
}


def settings(**changes: Any) -> Settings:
    return Settings.model_validate({**GOOD, "daemon": {**GOOD["daemon"], **changes}})


def test_without_a_host_the_daemon_is_on_the_login_node() -> None:
    assert login_node(Settings()) is None


def test_paths_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    node = login_node(settings())
    assert node is not None
    assert (node.host, node.port, node.user) == ("login", 2222, "faces")
    assert (node.key, node.known_hosts) == (tmp_path / "k", tmp_path / ".ssh/known_hosts")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"resource_manager": "local"}, "starts processes on this machine"),
        ({"resource_manager": "slurm_pyslurm"}, "use slurm_cli or slurm_rest"),
        ({"log_dir": ""}, "daemon.log_dir: with .* on the login node"),
        ({"log_dir": "logs"}, "as an absolute path"),
        ({"cluster_host": "127.0.0.1"}, "daemon.cluster_host: .* the login node's address"),
    ],
)
def test_what_does_not_go_together_with_ssh_says_why(changes: dict[str, str], why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        login_node(settings(**changes))
