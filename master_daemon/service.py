"""The daemon as a service of this process: from its settings to the signal that ends it."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import resource
import signal
from pathlib import Path
from typing import Literal

from sqlalchemy.exc import DatabaseError

from ligan import __version__
from ligan.memory import give_back_what_is_free, settle
from ligan.output import mention
from ligan.settings import Settings, SettingsError, load_settings
from master_daemon.cluster.local_job import DamagedRecordError
from master_daemon.daemon import Daemon, StateInUseError, new_event_loop
from master_daemon.observe import logs
from master_daemon.state.database import DatabaseUnusableError
from master_daemon.state.lease import LeaseHeldError

_REFUSALS = (SettingsError, StateInUseError, LeaseHeldError, DatabaseUnusableError, DamagedRecordError)
_OPEN_FILES = 16384
"""Files and connections the daemon may have open at once; a login shell's 1024 are gone with as many pages."""


class NotStartedError(Exception):
    """The daemon could not start, or not go on; the text says why and what to do."""


def serve(arguments: argparse.Namespace) -> int:
    """Run the daemon that `ligan up` was asked for, until a signal: 0, or 1 where another has taken over.

    Raises NotStartedError.
    """
    os.umask(0o077)  # all that is written is this user's alone, also in a folder that others may enter
    _allow_open_files()
    try:
        settings = _settings(arguments)
        _log_to_stderr(settings.daemon.log_format, arguments.verbose)
        with asyncio.Runner(loop_factory=new_event_loop) as runner:
            return runner.run(_serve(settings, arguments.state_dir.absolute()))
    except _REFUSALS as error:
        raise NotStartedError(str(error)) from error
    except DatabaseError as error:
        what = f"The database in {arguments.state_dir} cannot be used ({error.orig})"
        raise NotStartedError(f"{what}: see that its disk has room, or give another --state-dir.") from error
    except OSError as error:
        raise NotStartedError(_explain(error, arguments.state_dir.absolute())) from error


def _settings(arguments: argparse.Namespace) -> Settings:
    settings = load_settings(arguments.config)
    if arguments.port is None:
        return settings
    if not 0 <= arguments.port <= 65535:
        raise SettingsError(f"--port {arguments.port}: a port is a number from 0 to 65535.")
    return settings.model_copy(update={"daemon": settings.daemon.model_copy(update={"port": arguments.port})})


async def _serve(settings: Settings, state_dir: Path) -> int:
    stopping: asyncio.Queue[signal.Signals] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stopping.put_nowait, number)
    mention(f"LiGAN {__version__}  state in {state_dir}")
    give_back_what_is_free()
    daemon = Daemon(settings, state_dir)
    daemon.tenure.when_fenced(lambda: loop.call_soon_threadsafe(stopping.put_nowait, signal.SIGTERM))
    try:
        await daemon.start()
    except BaseException:
        await daemon.stop(end_jobs=False)  # an earlier daemon's jobs go on, for the next one that can start
        raise
    settle()
    waiter = asyncio.create_task(_announce(daemon))
    received = await stopping.get()
    waiter.cancel()
    end_jobs = received == signal.SIGINT or settings.daemon.resource_manager == "local"
    mention("\nLiGAN stops" + (" and ends its jobs" if end_jobs else "; its jobs go on"))
    await daemon.stop(end_jobs)
    return 1 if daemon.tenure.fenced else 0


async def _announce(daemon: Daemon) -> None:
    mention(f"starting the web server ({daemon.manager.name}) ...")
    while not daemon.frontend_ready():
        await asyncio.sleep(0.1)
    mention(f"ready: {daemon.url}   (Ctrl-C stops everything)")


def _log_to_stderr(log_format: Literal["text", "json"], verbose: bool) -> None:
    logs.configure(log_format, logging.INFO if verbose else logging.WARNING)


def _allow_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def _explain(error: OSError, state_dir: Path) -> str:
    if error.errno == 98:  # EADDRINUSE
        return f"{error.strerror}: choose another port with --port (or PORT= for make run)."
    if isinstance(error.filename, str) and state_dir.is_relative_to(error.filename):
        what = f"{error.filename}: {error.strerror}"
        return f"{what}: give another folder with --state-dir (or STATE_DIR= for make run)."
    return str(error)
