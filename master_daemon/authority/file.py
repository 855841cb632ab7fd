"""STATE/authority.pem: the authority's certificate and key, its owner's alone, made once and kept."""

from __future__ import annotations

import os
from pathlib import Path

from ligan import durable
from ligan.settings import SettingsError
from master_daemon.authority.authority import Authority

NAME = "authority.pem"


def open_authority(state_dir: Path, now: float) -> Authority:
    """The one that is there, else a new one from `now` (Unix s) on. Raises as `read_authority`."""
    if (kept := read_authority(state_dir)) is not None:
        return kept
    made = Authority.new(now)
    durable.write(state_dir / NAME, made.pem, durable.PRIVATE)
    return made


def read_authority(state_dir: Path) -> Authority | None:
    """None when there is none. Raises PermissionError when others may read it, SettingsError when it is damaged."""
    path = state_dir / NAME
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise PermissionError(f"{path} may be read by others; run: chmod 600 {path}")
            return Authority.read(file.read())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise SettingsError(
            f"{path} is damaged ({error}): take it from a backup; or delete it, and jobs that run are replaced."
        ) from error
