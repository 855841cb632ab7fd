"""All that the daemon shows and trusts: towards its jobs, and at the public port."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable
from pathlib import Path

from ligan.settings import Settings
from master_daemon.authority.between_parts import BetweenParts
from master_daemon.authority.site_certificate import site_certificate
from master_daemon.state import jobs
from master_daemon.state.database import Database


class Certificates:
    """Raises PermissionError or SettingsError when a file cannot be used."""

    def __init__(self, settings: Settings, state_dir: Path, database: Database, now: float) -> None:
        """`now` is Unix s."""
        self._database = database
        self.between = BetweenParts(settings, state_dir, self._any_plain, now)
        self._site = site_certificate(settings.tls)
        self.loop: asyncio.AbstractEventLoop | None = None
        """On which the servers run, once they do."""
        self.when_changed: Callable[[], object] = _nobody_asks
        """Called when the site has changed the public port's certificate."""

    @property
    def public(self) -> ssl.SSLContext | None:
        """Of the public port; None where it speaks plain HTTP."""
        return None if self._site is None else self._site.context

    @property
    def shown(self) -> str:
        """What the public port shows, PEM; empty where it speaks plain HTTP."""
        return self._site.shown if self._site else ""

    @property
    def public_scheme(self) -> str:
        """Of the public port's address."""
        return "https" if self._site else "http"

    def turn(self, now: float) -> None:
        """Renew what is due and take what the site has changed; `now` is Unix s."""
        self.between.turn(now, self._on_loop)
        if self._site is not None and self._site.turn(self._on_loop):
            self.when_changed()

    def _on_loop(self, work: Callable[[], object]) -> None:
        if self.loop is not None:
            self.loop.call_soon_threadsafe(work)

    def _any_plain(self) -> bool:
        with self._database.read() as connection:
            return jobs.any_plain(connection)


def _nobody_asks() -> None:
    pass
