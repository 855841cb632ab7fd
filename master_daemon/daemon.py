"""The daemon put together: state, supervisor, Flask API on waitress, gateway on asyncio; started and stopped as one."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TextIO

import uvloop

from ligan.intervals import (
    COMMAND_TIMEOUT,
    LEASE_RENEWAL,
    LOOK_CERTIFICATE,
    NOTE_LOGINS,
    SWEEP,
    WATCH_ALLOWANCE,
)
from ligan.settings import Settings
from ligan.web.address import host_and_port
from ligan.web.front import Front
from ligan.web.http.server import HttpServer
from ligan.web.serving import Server
from ligan.web.serving import listen as serving
from master_daemon import daemon_file
from master_daemon.accounts.accounts import OPEN
from master_daemon.accounts.accounts import check as check_accounts
from master_daemon.accounts.watch import Watch
from master_daemon.api.api import fill, listen_for_jobs
from master_daemon.api.express import Express
from master_daemon.api.operator_token import write_operator_token
from master_daemon.assembly import assemble
from master_daemon.authority.certificates import Certificates
from master_daemon.cluster.factory import make_manager
from master_daemon.cluster.local import LocalManager
from master_daemon.cluster.manager import ResourceManager
from master_daemon.doctor import log_unwell
from master_daemon.repeating import Repeating
from master_daemon.state import jobs
from master_daemon.state.database import Database
from master_daemon.state.dialect import database_url
from master_daemon.state.lease import place
from master_daemon.state.tenure import Tenure
from master_daemon.state.trouble import storage_problem
from master_daemon.tunnel.gateway import ALWAYS, Gateway
from master_daemon.tunnel.hub import Hub
from master_daemon.tunnel.public_port import listen
from master_daemon.ways import Ways

log = logging.getLogger(__name__)
_LAST_ANSWERS = 1.0
"""Seconds that pages' requests have to end when the daemon does."""
_LOGIN_THREADS = 8
"""Of their own, for each may wait for a login provider that does not answer, or take a password's memory and time."""


class StateInUseError(Exception):
    """Another daemon has this state directory."""


class Daemon:
    """One installation's daemon over one state directory, with the settings' resource manager unless one is given.

    Raises StateInUseError when another daemon has the directory, LeaseHeldError when one elsewhere has the database,
    DatabaseUnusableError, SettingsError, and OSError when a port is taken.
    """

    def __init__(self, settings: Settings, state_dir: Path, manager: ResourceManager | None = None) -> None:
        check_accounts(settings)
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as undo:
            self._lock = undo.enter_context(_lock(state_dir / "lock"))
            url = database_url(settings.daemon.database, state_dir)
            self.database = undo.enter_context(Database(url, place(state_dir)))
            self.tenure = Tenure(self.database, place(state_dir))
            self._certificates = Certificates(settings, state_dir, self.database, time.time())
            self._ways = undo.enter_context(closing(Ways(settings)))
            undo.pop_all()
        self._api = listen_for_jobs(settings, self.database)
        self._look_around = manager is None
        self.manager = manager or make_manager(self._ways.settings, state_dir, self._ways.login)
        between = self._certificates.between
        self.parts = assemble(settings, state_dir, self.database, self.manager, self._api.port, self._ways, between)
        fill(self._api.app, self.parts)
        self._public: HttpServer | None = None
        self.front: Front | None = None
        self._logins: Server | None = None
        self._supervising: threading.Thread | None = None
        self.port = settings.daemon.port
        self.sweeper = self.parts.sweeper
        self._renewing = Repeating("lease", LEASE_RENEWAL, self.tenure.renew)
        self._sweeping = Repeating("retention", SWEEP, self.sweeper.turn)
        watch = Watch(settings, self.database, self.parts.supervisor.release, self.parts.trials.used_up)
        self._accounting = (
            Repeating("accounts", NOTE_LOGINS, self.parts.accounts.turn),
            Repeating("allowance", WATCH_ALLOWANCE, watch.turn),
            Repeating("certificates", LOOK_CERTIFICATE, self._certificates.turn),
        )
        self.sweeper.subscribe(lambda _keys: self.parts.accounts.authenticator.forget())

    async def start(self) -> None:
        """Open the public port and begin to supervise."""
        self._renewing.start()
        loop = self._certificates.loop = asyncio.get_running_loop()
        hub = Hub(loop)
        self.database.subscribe(hub.publish)
        self.parts.trials.subscribe(hub.poke)
        self.parts.notices.when_changed(hub.broadcast)
        self.parts.accounts.when_over(lambda keys: loop.call_soon_threadsafe(hub.end, keys))
        hot, between = Express(self.parts).cluster, self._certificates.between
        front = self.front = Front(
            self._api.listener, self._api.app, hot, 16, storage_problem, tls=between.tls, plain=between.plain
        )
        await front.start()
        self._ways.open_home(self._api.port)
        logins = self._logins = serving(self._api.app, "127.0.0.1", threads=_LOGIN_THREADS)
        logins.start()
        gateway = Gateway(self.parts, hub, ("127.0.0.1", front.flask_port), ("127.0.0.1", logins.port))
        listeners = listen(self.parts.settings.daemon.host, self.port)
        self.port = listeners[0].getsockname()[1]
        self._public = HttpServer(gateway.route, always=ALWAYS, known=storage_problem)
        for listener in listeners:
            await self._public.start(listener, self._certificates.public)
        self._supervising = threading.Thread(target=self.parts.supervisor.run, name="supervisor", daemon=True)
        self._supervising.start()
        self.parts.observatory.start()
        write_operator_token(self.parts.observatory.state_dir, self.parts.secret)
        self._certificates.when_changed = self._tell_where
        self._tell_where()
        self._sweeping.start()
        for repeating in self._accounting:
            repeating.start()
        if self.parts.settings.accounts.mode == "none":
            log.warning("%s", OPEN)
        if self._look_around:
            where = (self.parts.settings, self.parts.observatory.state_dir, self._ways.login)
            threading.Thread(target=log_unwell, args=where, name="doctor", daemon=True).start()

    @property
    def url(self) -> str:
        """The start page's address."""
        return f"{self._certificates.public_scheme}://{host_and_port(self.parts.settings.daemon.host, self.port)}/"

    def _tell_where(self) -> None:
        daemon_file.write(self.parts.observatory.state_dir, self.url, self._certificates.shown)

    def frontend_ready(self) -> bool:
        job = self.parts.supervisor.frontend
        return job is not None and job.ready

    async def stop(self, end_jobs: bool) -> None:
        """Close the doors; with `end_jobs` also end every job that was started."""
        self.parts.supervisor.stop()
        daemon_file.remove(self.parts.observatory.state_dir)
        await asyncio.to_thread(self.parts.observatory.stop)
        for repeating in (self._sweeping, *self._accounting):
            await asyncio.to_thread(repeating.stop)
        if self._public is not None:
            await self._public.close(_LAST_ANSWERS)
        if self._supervising is not None:
            # It may be about to submit: what it started must be known before jobs are ended.
            await asyncio.to_thread(self._supervising.join, COMMAND_TIMEOUT)
        try:
            if end_jobs and not self.tenure.fenced:  # else they are the other daemon's now
                await asyncio.to_thread(self._end_jobs)
        finally:
            if self.front is not None:
                await self.front.close(1.0)
            else:
                self._api.listener.close()
            if self._logins is not None:
                await asyncio.to_thread(self._logins.close)
            await asyncio.to_thread(self._ways.close)
            await asyncio.to_thread(self._renewing.stop)
            self.tenure.end()
            self.database.close()
            self._lock.close()

    def _end_jobs(self) -> None:
        with self.database.read() as connection:
            live = jobs.live(connection)
        now = time.time()
        try:
            self.parts.supervisor.end_all(live, "The daemon was stopped.", now)
        finally:
            if isinstance(self.manager, LocalManager):  # our own processes: gone before we are, also on a full disk
                self.manager.cancel_all()


def _lock(path: Path) -> TextIO:
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise StateInUseError(
            f"Another LiGAN daemon uses {path.parent}; stop it or give another --state-dir."
        ) from error
    return file


def new_event_loop() -> asyncio.AbstractEventLoop:
    """The gateway's loop."""
    return uvloop.new_event_loop()
