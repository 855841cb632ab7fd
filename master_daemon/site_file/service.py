"""The systemd unit that runs the daemon for one user, filled in."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_TEMPLATE = Path(__file__).with_name("ligan.service")
_PASSED_ON = ("SLURM_CONF", "KRB5CCNAME")
"""What the user's systemd does not know, and Slurm's commands may need."""


@dataclass(frozen=True)
class Service:
    """What the unit has to know."""

    ligan: tuple[str, ...]
    """Words of the command."""
    config: Path
    state_dir: Path
    environment: Mapping[str, str]


def this_service(config: Path, state_dir: Path) -> Service:
    """For the `ligan` that runs now, with what of its environment matters."""
    kept = {name: os.environ[name] for name in _PASSED_ON if os.environ.get(name)}
    return Service(_command(), config, state_dir, {"PATH": os.environ.get("PATH", os.defpath), **kept})


def unit_path() -> Path:
    """Where systemd looks for a user's units (systemd.unit(5))."""
    configured = os.environ.get("XDG_CONFIG_HOME")
    return Path(configured or Path.home() / ".config") / "systemd" / "user" / "ligan.service"


def unit(service: Service) -> str:
    """The unit file's text."""
    words = {
        "@LIGAN@": " ".join(map(_word, service.ligan)),
        "@CONFIG@": _word(str(service.config)),
        "@STATE_DIR@": _word(str(service.state_dir)),
        "@ENVIRONMENT@": " ".join(_word(f"{name}={value}", "") for name, value in service.environment.items()),
    }
    text = _TEMPLATE.read_text()
    for name, value in words.items():
        text = text.replace(name, value)
    return text


def _command() -> tuple[str, ...]:
    """The program beside this interpreter; pipx and virtual environments have one."""
    beside = Path(sys.executable).with_name("ligan")
    found = str(beside) if beside.exists() else shutil.which("ligan")
    return (found,) if found else (sys.executable, "-m", "ligan")


def _word(text: str, dollar: str = "$$") -> str:
    """One word of a unit file, quoted (systemd.syntax(7)). A dollar is a variable in command lines only."""
    quoted = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{quoted.replace("$", dollar) if dollar else quoted}"'
