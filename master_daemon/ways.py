"""The ways between the daemon and its cluster: none needed on the login node, through SSH from elsewhere."""

from __future__ import annotations

import logging
from functools import partial
from urllib.parse import urlsplit

from ligan.settings import Settings, SettingsError
from master_daemon.ssh.connection import SshConnection
from master_daemon.ssh.errors import SshError, SshSetupError
from master_daemon.ssh.login_node import login_node
from master_daemon.tunnel.reach import Direct, Reach
from master_daemon.tunnel.ssh import Forwarder, SshReach, WayHome

log = logging.getLogger(__name__)


class Ways:
    """As the settings have it. Raises SettingsError when the login node lets nobody in until something is put right.

    A login node that does not answer is waited for: the ways open when it does.
    """

    def __init__(self, settings: Settings) -> None:
        node = login_node(settings)
        self.login = SshConnection(node) if node else None
        self.tunnelled = self.login is not None and settings.ssh.tunnel
        self.reach: Reach = SshReach(self.login) if self.login and self.tunnelled else Direct()
        self._rest = self._forward_rest(settings)
        self.settings = settings if self._rest is None else _with_rest_url(settings, self._rest.url)
        """As the daemon uses them: slurmrestd's address is the one that leads there from here."""
        if self.login is not None:
            _try(self.login)

    def open_home(self, api_port: int) -> None:
        """From now on the jobs find the daemon's API at `cluster_host` and the same port."""
        if self.login is not None and self.tunnelled:
            home = WayHome((self.settings.daemon.cluster_host, api_port), ("127.0.0.1", api_port))
            self.login.keep(partial(home.open, self.login))

    def _forward_rest(self, settings: Settings) -> Forwarder | None:
        if self.login is None or settings.daemon.resource_manager != "slurm_rest":
            return None
        there = urlsplit(settings.slurm_rest.url)
        if there.scheme != "http" or there.hostname is None or there.port is None:
            raise SettingsError(
                "slurm_rest.url: with [ssh] give http://HOST:PORT as the login node reaches it, and a token_file;"
                " a socket in the file system lets only its own machine's users in."
            )
        return Forwarder(self.login, (there.hostname, there.port))

    def close(self) -> None:
        self.reach.close()
        if self._rest is not None:
            self._rest.close()
        if self.login is not None:
            self.login.close()


def _with_rest_url(settings: Settings, url: str) -> Settings:
    rest = settings.slurm_rest.model_copy(update={"url": url})
    return settings.model_copy(update={"slurm_rest": rest})


def _try(login: SshConnection) -> None:
    try:
        login.transport()
    except SshSetupError as error:
        login.close()
        raise SettingsError(str(error)) from error
    except SshError as error:
        log.warning("%s It is tried again until it answers.", error)
