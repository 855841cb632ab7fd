"""The daemon's ways put together from settings."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from ligan.settings import Settings, SettingsError
from master_daemon.cluster.factory import make_manager
from master_daemon.cluster.logs import RemoteLogs
from master_daemon.cluster.manager import JobRequest, SubmitRefusedError, SubmitUnknownError
from master_daemon.cluster.site import SlurmSite
from master_daemon.cluster.slurm_cli import SlurmCliManager
from master_daemon.cluster.ssh import SshRunner
from master_daemon.ssh.connection import SshConnection
from master_daemon.tunnel.reach import Direct
from master_daemon.tunnel.ssh import SshReach
from master_daemon.ways import Ways
from tests.sshd import Sshd

REQUEST = JobRequest("nonce", "backend", ("true",), "{}", 60)


@pytest.fixture
def site(sshd: Sshd) -> Callable[..., Settings]:
    """Settings for the sshd, with changes of a section."""
    node = sshd.node
    ssh = {"host": node.host, "port": node.port, "key": str(node.key), "known_hosts": str(node.known_hosts)}
    logs = str(sshd.folder / "made on" / "the login node")
    daemon = {"resource_manager": "slurm_cli", "cluster_host": "127.0.0.2", "log_dir": logs}

    def make(**sections: dict[str, Any]) -> Settings:
        whole = {"ssh": ssh, "daemon": daemon, "backend": {"partition": "gpu"}}
        return Settings.model_validate({name: {**whole.get(name, {}), **sections.get(name, {})} for name in NAMES})

    return make


NAMES = ("ssh", "daemon", "backend", "slurm_rest")


def test_on_the_login_node_nothing_is_between() -> None:
    with closing(Ways(Settings())) as ways:
        assert isinstance(ways.reach, Direct)
        assert ways.login is None


def test_elsewhere_jobs_are_reached_through_it_unless_the_site_says_otherwise(site: Callable[..., Settings]) -> None:
    with closing(Ways(site())) as ways:
        assert isinstance(ways.reach, SshReach)
    with closing(Ways(site(ssh={"tunnel": False}))) as ways:
        assert isinstance(ways.reach, Direct)
        assert ways.login is not None


def test_what_will_not_mend_itself_stops_the_start(sshd: Sshd, site: Callable[..., Settings]) -> None:
    sshd.known_hosts.write_text("")
    with pytest.raises(SettingsError, match=r"The host key of .* is not in"):
        Ways(site())


def test_a_login_node_that_is_down_is_waited_for(
    sshd: Sshd, site: Callable[..., Settings], caplog: pytest.LogCaptureFixture
) -> None:
    sshd.stop()
    with caplog.at_level(logging.WARNING), closing(Ways(site())):
        assert "It is tried again until it answers." in caplog.text


def test_slurmrestd_has_an_address_here(site: Callable[..., Settings]) -> None:
    rest = {"resource_manager": "slurm_rest"}
    settings = site(daemon=rest, slurm_rest={"url": "http://localhost:6820"})
    with closing(Ways(settings)) as ways:
        assert ways.settings.slurm_rest.url.startswith("http://127.0.0.1:")
        assert ways.settings.slurm_rest.url != settings.slurm_rest.url
    with pytest.raises(SettingsError, match=r"slurm_rest\.url"):
        Ways(site(daemon=rest, slurm_rest={"url": "unix:/run/slurmrestd"}))


def test_the_log_folder_is_made_there_before_the_first_submit(sshd: Sshd, site: Callable[..., Settings]) -> None:
    folder = Path(site().daemon.log_dir)
    sshd.program("sbatch", f'cat >/dev/null; stat --format=%a "{folder}" >"{sshd.folder}/seen"; echo 4711')
    with closing(Ways(site())) as ways:
        manager = make_manager(ways.settings, sshd.folder, ways.login)
        assert manager.submit(REQUEST) == "4711"
        assert (sshd.folder / "seen").read_text() == "700\n"
        (folder / "nonce.log").write_text("it says\nthis\n")
        assert manager.read_log("nonce", tail_bytes=5) == "this\n"
        assert manager.read_log("../nonce") == ""


def test_a_folder_that_cannot_be_made_is_a_refusal_and_a_lost_line_is_not(
    sshd: Sshd, connection: SshConnection
) -> None:
    runner = SshRunner(connection)
    with pytest.raises(SubmitRefusedError, match=r"log_dir cannot be made on the login node: mkdir: .*"):
        RemoteLogs(Path("/dev/null/logs"), runner).prepare()
    with closing(SshConnection(connection.node)) as fresh:
        sshd.stop()
        logs = RemoteLogs(sshd.folder / "logs", SshRunner(fresh))
        manager = SlurmCliManager(SlurmSite(sshd.folder, {"backend": "gpu"}), SshRunner(fresh), logs)
        with pytest.raises(SubmitUnknownError, match="cannot be reached"):
            manager.submit(REQUEST)
        assert manager.listing() is None
        assert manager.read_log("nonce") == ""
