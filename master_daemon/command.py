"""`ligan up`: run the whole system from this terminal."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from ligan.help import explained
from ligan.memory import begin_without_thread_caches
from master_daemon.daemon_file import default_state_dir

_DESCRIPTION = """Start the master daemon: it opens the public port, submits the frontend job and one backend job for
each session that asks for one. Without a site file everything runs on this machine (resource manager `local`)."""
_EPILOG = """examples:
  ligan up                                   everything on this machine, http://127.0.0.1:7022/
  ligan up --port 8080 --state-dir ./state   another port, state kept here
  ligan up --config site.toml                on a cluster's login node; slurm/site-example.toml explains the settings

Ctrl-C ends the daemon and every job it started. SIGTERM ends the daemon; jobs of a cluster go on and are found again
by the next one over the same state directory.

Exit status: 0 stopped, 1 could not start, or another daemon has taken over."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ligan up`."""
    explained(parser, _DESCRIPTION, _EPILOG)
    parser.add_argument("--port", type=int, help="public port (default: 7022, or the site file's; 0: any free one)")
    parser.add_argument("--state-dir", type=Path, default=default_state_dir(), help="default: %(default)s")
    parser.add_argument("--config", type=Path, help="site file (TOML)")
    parser.add_argument("--verbose", action="store_true", help="log what the daemon does")


def up(arguments: argparse.Namespace) -> int:
    """run the whole system

    Until a signal. Exit codes: 0 stopped, 1 could not start, or another daemon has taken over.
    """
    begin_without_thread_caches()  # before what takes long to be brought in
    from master_daemon.service import NotStartedError, serve

    try:
        return serve(arguments)
    except NotStartedError as error:
        print(f"ligan up: {error}", file=sys.stderr)
    return 1
