"""A secret in a file of its own, which nobody else may read."""

from __future__ import annotations

from pathlib import Path

from ligan.settings import SettingsError
from master_daemon.accounts.placeholder import is_placeholder


def read_secret(name: str) -> str:
    """The file's text without white space around it. Raises SettingsError when others may read it, or it is none."""
    path = Path(name)
    try:
        if path.stat().st_mode & 0o077:
            raise SettingsError(f"accounts.client_secret_file: others may read {path}; run: chmod 600 {path}")
        secret = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"accounts.client_secret_file: {path} cannot be read ({error}).") from error
    if not secret:
        raise SettingsError(f"accounts.client_secret_file: {path} is empty.")
    if is_placeholder(secret):
        raise SettingsError(f"accounts.client_secret_file: {path} holds a placeholder; write the provider's secret.")
    return secret
