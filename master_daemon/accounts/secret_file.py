"""A secret in a file of its own, which nobody else may read."""

from __future__ import annotations

from pathlib import Path

from ligan.settings import SettingsError


def read_secret(name: str) -> str:
    """The file's text without white space around it. Raises SettingsError when others may read it, or nobody can."""
    path = Path(name)
    try:
        if path.stat().st_mode & 0o077:
            raise SettingsError(f"accounts.client_secret_file: others may read {path}; run: chmod 600 {path}")
        secret = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"accounts.client_secret_file: {path} cannot be read ({error}).") from error
    if not secret:
        raise SettingsError(f"accounts.client_secret_file: {path} is empty.")
    return secret
