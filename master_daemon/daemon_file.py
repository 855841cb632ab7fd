"""STATE/daemon.json: where the daemon over a state directory is, for commands on the same machine."""

from __future__ import annotations

import os
from pathlib import Path

from ligan import __version__, durable
from ligan.wire.admin import DaemonFile

NAME = "daemon.json"


def default_state_dir() -> Path:
    """As the XDG base directory specification has it."""
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "ligan"


def write(state_dir: Path, url: str, certificate: str = "") -> None:
    """Tell where this process answers, and what it shows there; whole or not at all, for its owner alone (0600)."""
    told = DaemonFile(url=url, pid=os.getpid(), version=__version__, certificate=certificate)
    durable.write(state_dir / NAME, f"{told.model_dump_json()}\n".encode(), durable.PRIVATE)


def remove(state_dir: Path) -> None:
    """The daemon has stopped."""
    (state_dir / NAME).unlink(missing_ok=True)


def is_there(told: DaemonFile) -> bool:
    """Does the process still run that told it? Else whoever has its port now would be shown a token."""
    return Path(f"/proc/{told.pid}").exists()


def read(state_dir: Path) -> DaemonFile | None:
    """What the last daemon told, None when there is nothing; it may have been killed since.

    Raises OSError when it may not be read, pydantic's ValidationError when it is damaged.
    """
    try:
        return DaemonFile.model_validate_json((state_dir / NAME).read_text())
    except FileNotFoundError:
        return None
