"""What the daemon shows to its jobs and believes of them, where they speak TLS."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

from ligan.intervals import DAEMON_CERTIFICATE, RENEW_CERTIFICATE
from ligan.settings import Settings
from ligan.tls.contexts import DAEMON, serving, show, trusting
from master_daemon.authority.authority import Authority, Credentials
from master_daemon.authority.file import open_authority, read_authority

Later = Callable[[Callable[[], object]], object]
"""Has something done on the loop that uses the contexts: OpenSSL's are not made for two threads."""


class BetweenParts:
    """By the settings; but an authority that is there is used for the jobs that were started with it, also when new
    ones do without.

    Raises PermissionError or SettingsError when its file cannot be used.
    """

    def __init__(self, settings: Settings, state_dir: Path, older: Callable[[], bool], now: float) -> None:
        """`older`: whether a job lives that does not speak TLS. `now` is Unix s, as everywhere here."""
        self.on = settings.tls.secures(settings.daemon.resource_manager)
        self._authority = open_authority(state_dir, now) if self.on else read_authority(state_dir)
        self._older = older
        self._plain = not self.on or older()
        self._renewed_at = now
        self.trust: ssl.SSLContext | None = None
        """Of jobs' certificates."""
        self.tls: ssl.SSLContext | None = None
        """What the port shows where the jobs call."""
        if self._authority is not None:
            self.trust = trusting(self._authority.certificate)
            self.tls = serving(*_own(self._authority, now))

    @property
    def authority(self) -> Authority | None:
        """Of new jobs; None: they do without TLS."""
        return self._authority if self.on else None

    @property
    def scheme(self) -> str:
        """Of the address where new jobs call."""
        return "https" if self.on else "http"

    def plain(self) -> bool:
        """Whether a call may come without TLS: for as long as jobs live that were started so."""
        return self._plain

    def turn(self, now: float, later: Later) -> None:
        """Renew the certificate when it is time, and see whether jobs without TLS are left."""
        self._plain = not self.on or (self._plain and self._older())
        if self._authority is not None and self.tls is not None and now - self._renewed_at > RENEW_CERTIFICATE:
            self._renewed_at = now
            tls, own = self.tls, _own(self._authority, now)
            later(lambda: show(tls, *own))


def _own(authority: Authority, now: float) -> Credentials:
    return authority.issue(DAEMON, now, now + DAEMON_CERTIFICATE)
