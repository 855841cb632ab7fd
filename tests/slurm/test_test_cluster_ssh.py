"""The test cluster's sshd: where it listens, whom it lets in, and that it can be broken and mended."""

from __future__ import annotations

import socket
from contextlib import closing
from dataclasses import replace

import psutil
import pytest

from master_daemon.cluster.ssh import SshRunner
from master_daemon.ssh.connection import SshConnection
from master_daemon.ssh.errors import SshSetupError
from tests.cluster_fixture import USER, SlurmCluster


def test_it_listens_on_the_clusters_address_alone_and_lets_the_ordinary_user_in(slurm_cluster: SlurmCluster) -> None:
    pid = int(slurm_cluster.control("env").partition("LIGAN_TEST_SSH_PID=")[2].split()[0])
    bound = [tuple(line.laddr) for line in psutil.Process(pid).net_connections() if line.status == psutil.CONN_LISTEN]
    assert bound == [(slurm_cluster.login_address, slurm_cluster.ssh.port)]
    with closing(SshConnection(slurm_cluster.ssh)) as connection:
        assert SshRunner(connection)(("id", "-un")).stdout == f"{USER}\n"


def test_it_lets_nobody_else_in(slurm_cluster: SlurmCluster) -> None:
    with (
        closing(SshConnection(replace(slurm_cluster.ssh, user="root"))) as connection,
        pytest.raises(SshSetupError, match="does not accept"),
    ):
        connection.transport()


def test_it_can_be_broken_and_mended(slurm_cluster: SlurmCluster) -> None:
    place = (slurm_cluster.ssh.host, slurm_cluster.ssh.port)
    with closing(SshConnection(slurm_cluster.ssh)) as connection:
        transport = connection.transport()
        slurm_cluster.control("break", "ssh")
        try:
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(place, 5)
            transport.join(10)
            assert not transport.is_active(), "its sessions end with it"
        finally:
            slurm_cluster.control("mend", "ssh")
        socket.create_connection(place, 5).close()
