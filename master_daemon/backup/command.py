"""`ligan backup FILE` and `ligan restore FILE`."""

from __future__ import annotations

import argparse
import shlex
import sys
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TypeVar

from ligan.help import explained
from ligan.output import say
from ligan.settings import Settings, SettingsError, load_settings
from ligan.wire.base import Message
from master_daemon import daemon_file
from master_daemon.backup.archive import BackupError
from master_daemon.backup.restoring import Restored
from master_daemon.backup.restoring import restore as put_back
from master_daemon.backup.saving import Saved, save

M = TypeVar("M", bound=Message)
_BACKUP = """Save the installation in one file: all tables in one snapshot, photos and results, and the installation's
secret. The daemon may run meanwhile. Whoever has the file can open every session and see every photo: it is made for
its owner alone (0600); keep it so. Not in it: the site file, and the logs of all jobs but test jobs."""
_BACKUP_EXAMPLES = """examples:
  ligan backup /backup/ligan-$(date +%F).tar                            the state in the default place, SQLite
  ligan backup /backup/ligan.tar --config site.toml --state-dir /var/lib/ligan    PostgreSQL: the site file names it
  ligan backup ligan.tar --json | jq .artifacts                         for scripts

Exit status: 0 saved, 1 not."""
_RESTORE = """Put a backup back, into a state directory and a database that are empty. SQLite or PostgreSQL: a backup of
one fits the other, so this is also the way from one to the other. Stop the old daemon first: two with the
same secret would call each other's jobs their own. Jobs that the backup does not know are cancelled at the
next start; those it knows and that are gone are followed by new ones."""
_RESTORE_EXAMPLES = """examples:
  ligan restore /backup/ligan.tar --state-dir /var/lib/ligan            then: ligan up --state-dir /var/lib/ligan
  ligan restore ligan.tar --state-dir new --config postgresql.toml      into the PostgreSQL database that it names

Exit status: 0 restored, 1 not; then nothing was changed."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of either verb."""
    saves = parser.prog.endswith("backup")
    texts = (_BACKUP, _BACKUP_EXAMPLES) if saves else (_RESTORE, _RESTORE_EXAMPLES)
    explained(parser, *texts)
    parser.add_argument("file", metavar="FILE", type=Path, help="the backup" + (", a new file" if saves else ""))
    parser.add_argument("--config", type=Path, help="site file (TOML); needed when it names a PostgreSQL database")
    parser.add_argument("--state-dir", type=Path, default=daemon_file.default_state_dir(), help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")


def backup(arguments: argparse.Namespace) -> int:
    """save the whole installation in a file, also while it runs"""

    def work(settings: Settings, state_dir: Path) -> Saved:
        return save(settings, state_dir, arguments.file.absolute(), time.time())

    return _done(arguments, work, show_saved)


def restore(arguments: argparse.Namespace) -> int:
    """put a backup back into an empty state directory"""

    def work(settings: Settings, state_dir: Path) -> Restored:
        return put_back(settings, arguments.file, state_dir)

    return _done(arguments, work, partial(show_restored, config=arguments.config))


def _done(arguments: argparse.Namespace, work: Callable[[Settings, Path], M], show: Callable[[M], str]) -> int:
    try:
        done = work(load_settings(arguments.config), arguments.state_dir.absolute())
    except (BackupError, SettingsError, OSError) as error:
        print(f"ligan {arguments.verb}: {error}", file=sys.stderr)
        return 1
    say(done.model_dump_json(indent=2) if arguments.json else show(done))
    return 0


def show_saved(saved: Saved) -> str:
    """The answer as text."""
    return (
        f"{saved.file}: {saved.bytes / 2**20:.1f} MiB, {_counts(saved.rows)}, {saved.artifacts} artifacts, "
        f"{saved.logs} logs\n"
        "The installation's secret is inside: who has the file can open every session. It is yours alone (0600)."
    )


def show_restored(restored: Restored, config: Path | None) -> str:
    """The answer as text. Without its site file the daemon would look for its jobs elsewhere."""
    site = ["--config", str(config)] if config else []
    start = shlex.join(["ligan", "up", *site, "--state-dir", restored.state_dir])
    made = datetime.fromtimestamp(restored.made_at).astimezone().strftime("%Y-%m-%d %H:%M")
    return (
        f"{restored.state_dir}: as of {made} (LiGAN {restored.version}), {_counts(restored.rows)}, "
        f"{restored.artifacts} artifacts, {restored.logs} logs\n"
        f"Start it with `{start}`."
    )


def _counts(rows: dict[str, int]) -> str:
    told = ("sessions", "lineups", "tasks", "images")
    return ", ".join(f"{rows[name]} {name}" for name in told if name in rows)
