from collections.abc import Iterator
from pathlib import Path

import pytest

from master_daemon.ssh.connection import SshConnection
from tests.sshd import Sshd, need_sshd


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    """An sshd that runs."""
    need_sshd()
    folder = tmp_path / "sshd"
    folder.mkdir()
    server = Sshd(folder, "GatewayPorts clientspecified")
    server.start()
    yield server
    server.stop()


@pytest.fixture
def connection(sshd: Sshd) -> Iterator[SshConnection]:
    """A connection to it that is not up yet."""
    connection = SshConnection(sshd.node)
    yield connection
    connection.close()
