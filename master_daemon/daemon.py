"""The daemon put together: state, supervisor, Flask API on waitress, gateway on asyncio; started and stopped as one."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import sys
import threading
import time
from contextlib import ExitStack, closing
from pathlib import Path
from typing import TextIO

import uvloop
from aiohttp import web

from ligan import __version__
from ligan.identity import load_secret
from ligan.intervals import COMMAND_TIMEOUT, LEASE_RENEWAL, MAX_BODY, SWEEP
from ligan.settings import Settings
from ligan.web.app import OpenAPI, make_app
from ligan.web.serving import Server, listen
from master_daemon import daemon_file
from master_daemon.api.admin import admin_api
from master_daemon.api.artifacts import artifacts_api
from master_daemon.api.documents import documents
from master_daemon.api.failures import answer_storage_problems
from master_daemon.api.frontend import frontend_api
from master_daemon.api.life import life_api
from master_daemon.api.metrics import metrics_page
from master_daemon.api.operator import operator_page
from master_daemon.api.operator_token import write_operator_token
from master_daemon.api.public import public_api
from master_daemon.api.reports import reports_api
from master_daemon.cluster.factory import make_manager
from master_daemon.cluster.local import LocalManager
from master_daemon.cluster.manager import ResourceManager
from master_daemon.describe import Descriptions
from master_daemon.doctor import log_unwell
from master_daemon.observe import logs
from master_daemon.observe.manager import WatchedManager
from master_daemon.observe.observatory import Observatory
from master_daemon.parts import Parts
from master_daemon.repeating import Repeating
from master_daemon.state import jobs, meta
from master_daemon.state.artifacts import Artifacts
from master_daemon.state.database import Database
from master_daemon.state.dialect import database_url
from master_daemon.state.lease import place
from master_daemon.state.sweeper import Sweeper
from master_daemon.state.tenure import Tenure
from master_daemon.supervisor.delivery import Delivery
from master_daemon.supervisor.head_start import HeadStart
from master_daemon.supervisor.launch import Launcher
from master_daemon.supervisor.lines import Lines
from master_daemon.supervisor.looks import Looks
from master_daemon.supervisor.presence import Presence
from master_daemon.supervisor.supervisor import Supervisor
from master_daemon.tunnel.gateway import Gateway
from master_daemon.tunnel.hub import Hub
from master_daemon.ways import Ways

log = logging.getLogger(__name__)
_CLUSTER_PORT = "cluster_port"
_DAY = 86400.0


class StateInUseError(Exception):
    """Another daemon has this state directory."""


class Daemon:
    """One installation's daemon over one state directory, with the settings' resource manager unless one is given.

    Raises StateInUseError when another daemon has the directory, LeaseHeldError when one elsewhere has the database,
    DatabaseUnusableError, SettingsError, and OSError when a port is taken.
    """

    def __init__(self, settings: Settings, state_dir: Path, manager: ResourceManager | None = None) -> None:
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        with ExitStack() as undo:
            self._lock = undo.enter_context(_lock(state_dir / "lock"))
            self.database = undo.enter_context(Database(database_url(settings.daemon.database, state_dir)))
            self.tenure = Tenure(self.database, place(state_dir))
            self._ways = undo.enter_context(closing(Ways(settings)))
            undo.pop_all()
        self._api = _listen_for_jobs(settings, self.database)
        self._look_around = manager is None
        self.manager = manager or make_manager(self._ways.settings, state_dir, self._ways.login)
        self.parts = _assemble(settings, state_dir, self.database, self.manager, self._api.port, self._ways)
        _fill(self._api.app, self.parts)
        self._runner: web.AppRunner | None = None
        self._supervising: threading.Thread | None = None
        self.port = settings.daemon.port
        self.sweeper = self.parts.sweeper
        self._renewing = Repeating("lease", LEASE_RENEWAL, self.tenure.renew)
        self._sweeping = Repeating("retention", SWEEP, self.sweeper.turn)

    async def start(self) -> None:
        """Open the public port and begin to supervise."""
        self._renewing.start()
        loop = asyncio.get_running_loop()
        hub = Hub(loop)
        self.database.subscribe(hub.publish)
        self._api.server.start()
        self._ways.open_home(self._api.port)
        gateway = Gateway(self.parts, hub, f"http://127.0.0.1:{self._api.port}")
        self.sweeper.subscribe(lambda keys: loop.call_soon_threadsafe(gateway.forget, keys))
        self._runner = web.AppRunner(gateway.app(), access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        host = self.parts.settings.daemon.host
        site = web.TCPSite(self._runner, host, self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._supervising = threading.Thread(target=self.parts.supervisor.run, name="supervisor", daemon=True)
        self._supervising.start()
        self.parts.observatory.start()
        write_operator_token(self.parts.observatory.state_dir, self.parts.secret)
        daemon_file.write(self.parts.observatory.state_dir, self.url)
        self._sweeping.start()
        if self._look_around:
            where = (self.parts.settings, self.parts.observatory.state_dir, self._ways.login)
            threading.Thread(target=log_unwell, args=where, name="doctor", daemon=True).start()

    @property
    def url(self) -> str:
        """The start page's address."""
        return f"http://{self.parts.settings.daemon.host}:{self.port}/"

    def frontend_ready(self) -> bool:
        job = self.parts.supervisor.frontend
        return job is not None and job.ready

    async def stop(self, end_jobs: bool) -> None:
        """Close the doors; with `end_jobs` also end every job that was started."""
        self.parts.supervisor.stop()
        daemon_file.remove(self.parts.observatory.state_dir)
        await asyncio.to_thread(self.parts.observatory.stop)
        await asyncio.to_thread(self._sweeping.stop)
        if self._runner is not None:
            await self._runner.cleanup()
        if self._supervising is not None:
            # It may be about to submit: what it started must be known before jobs are ended.
            await asyncio.to_thread(self._supervising.join, COMMAND_TIMEOUT)
        try:
            if end_jobs and not self.tenure.fenced:  # else they are the other daemon's now
                await asyncio.to_thread(self._end_jobs)
        finally:
            self._api.server.close()
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


class _Api:
    """The Flask API and the port it listens on, which the jobs call: it is chosen once and kept."""

    def __init__(self, app: OpenAPI, server: Server) -> None:
        self.app = app
        self.server = server
        self.port = server.port


def _listen_for_jobs(settings: Settings, database: Database) -> _Api:
    app = make_app(
        __name__,
        "LiGAN master daemon",
        f"Sessions, backends and tasks (version {__version__}). `/api/v1` is public, through the gateway; "
        "`/cluster/v1` is for the daemon's own jobs. Errors are problem documents (RFC 9457).",
        MAX_BODY,
    )
    from_here = settings.daemon.cluster_host == "127.0.0.1" or (settings.ssh.host and settings.ssh.tunnel)
    host = "127.0.0.1" if from_here else "0.0.0.0"  # noqa: S104 (also loopback)
    with database.read() as connection:
        kept = int(meta.get(connection, _CLUSTER_PORT) or 0)
    server = _listen(app, host, settings.daemon.cluster_port, kept)
    with database.write() as transaction:
        meta.put(transaction, _CLUSTER_PORT, str(server.port))
    return _Api(app, server)


def _listen(app: OpenAPI, host: str, configured: int, kept: int) -> Server:
    try:
        return listen(app, host, configured or kept, threads=16)
    except OSError:
        if configured or not kept:
            raise
        log.warning("port %d is taken now; jobs of an earlier daemon will end themselves", kept)
        return listen(app, host, 0, threads=16)


def _assemble(
    settings: Settings, state_dir: Path, database: Database, manager: ResourceManager, api_port: int, ways: Ways
) -> Parts:
    secret = load_secret(state_dir / "secret")
    artifacts = Artifacts(state_dir / "artifacts")
    observatory = Observatory(database, manager.name, state_dir, time.time())
    launcher = Launcher(settings, secret, f"http://{settings.daemon.cluster_host}:{api_port}")
    lines = Lines(launcher, ways.reach)
    delivery = Delivery(database, lines, settings, time.time)
    descriptions = Descriptions([sys.executable])
    head_start = HeadStart(database, settings, descriptions.kinds_if_known)
    presence = Presence(time.time(), settings.backend.idle_release_s)
    return Parts(
        settings=settings,
        secret=secret,
        database=database,
        artifacts=artifacts,
        sweeper=Sweeper(database, artifacts, settings.daemon.retention_days * _DAY),
        launcher=launcher,
        lines=lines,
        delivery=delivery,
        presence=presence,
        looks=Looks(),
        supervisor=Supervisor(database, WatchedManager(manager), launcher, delivery, presence, head_start),
        descriptions=descriptions,
        observatory=observatory,
    )


def _fill(app: OpenAPI, parts: Parts) -> None:
    answer_storage_problems(app)
    for api in (public_api, life_api, reports_api, artifacts_api, frontend_api, admin_api):
        app.register_api(api(parts))
    app.before_request(logs.forget)  # a thread serves one caller after the other
    for pages in (documents(parts, app), metrics_page(parts), operator_page()):
        app.register_blueprint(pages)


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
