"""`ligan init`: write a site file by asking the cluster."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from ligan.help import explained
from ligan.output import say
from ligan.settings import SettingsError, load_settings
from master_daemon import daemon_file
from master_daemon.cluster.command import Runner, run
from master_daemon.host import NETWORK_FILE_SYSTEMS, file_system
from master_daemon.site_file.cluster import Cluster, NoClusterError, address_towards, ask
from master_daemon.site_file.plan import Choice, NothingFitsError, Place, plan
from master_daemon.site_file.service import this_service, unit, unit_path
from master_daemon.site_file.text import render

_DESCRIPTION = """Write a site file for `ligan up --config FILE` by asking this cluster's Slurm what there is:
partitions with GPUs and their limits, your accounts, the address at which the nodes reach this machine. It
asks scontrol, sinfo and sacctmgr, changes nothing, and says of each value whether it was found or guessed."""
_EPILOG = """examples:
  ligan init                                    site.toml in this folder
  ligan init /etc/ligan/site.toml --json        and what was chosen, for scripts
  ligan init --service                          also ~/.config/systemd/user/ligan.service; an existing site file is kept
  ligan doctor --config site.toml               the next step

Exit status: 0 written, 1 not: no Slurm here, no partition that fits, or a file is there already."""


class ThereAlreadyError(Exception):
    """A file would be overwritten; the text says which."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `ligan init`."""
    explained(parser, _DESCRIPTION, _EPILOG)
    parser.add_argument(
        "file", metavar="FILE", type=Path, nargs="?", default=Path("site.toml"), help="default: site.toml"
    )
    parser.add_argument("--force", action="store_true", help="overwrite what is there")
    parser.add_argument("--service", action="store_true", help="also write a systemd unit of this user")
    parser.add_argument(
        "--state-dir",
        type=Path,
        default=daemon_file.default_state_dir(),
        help="of `ligan up`, for the unit; a local disk; default: %(default)s",
    )
    parser.add_argument(
        "--json", action="store_true", help="{file, service, choices: [{section, key, value, basis, why}]}"
    )


def init(arguments: argparse.Namespace, run_command: Runner = run) -> int:
    """write a site file by asking the cluster"""
    path: Path = arguments.file.absolute()
    try:
        kept = arguments.service and path.exists() and not arguments.force
        cluster, choices = (None, []) if kept else _site_file(path, arguments.force, run_command)
        service = _service(path, arguments) if arguments.service else None
    except (NoClusterError, NothingFitsError, ThereAlreadyError, SettingsError, OSError) as error:
        print(f"ligan init: {error}", file=sys.stderr)
        return 1
    if arguments.json:
        told = {"file": str(path), "service": service and str(service), "choices": [asdict(one) for one in choices]}
        say(json.dumps(told, indent=2))
    else:
        say(_report(path, service, cluster, choices) + _next(path, service, arguments.state_dir))
    return 0


def _site_file(path: Path, force: bool, run_command: Runner) -> tuple[Cluster, list[Choice]]:
    if path.exists() and not force:
        raise ThereAlreadyError(f"{path} is there already; --force overwrites it.")
    cluster = ask(run_command)
    choices = plan(cluster, _place(cluster))
    _write(path, render(cluster, choices, path.name), load_settings)
    return cluster, choices


def _place(cluster: Cluster) -> Place:
    home = Path.home()
    shared = file_system(home, Path("/proc/mounts").read_text()) in NETWORK_FILE_SYSTEMS
    address = address_towards(cluster.node_address) if cluster.node_address else None
    return Place(socket.gethostname(), address, str(home / "ligan-logs") if shared else "")


def _service(path: Path, arguments: argparse.Namespace) -> Path:
    target = unit_path()
    if target.exists() and not arguments.force:
        raise ThereAlreadyError(f"{target} is there already; --force overwrites it.")
    _write(target, unit(this_service(path, arguments.state_dir.absolute())))
    return target


def _write(path: Path, text: str, check: Callable[[Path], object] | None = None) -> None:
    """Whole or not at all, and only what `check` does not raise at."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    part.write_text(text)
    try:
        if check is not None:
            check(part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _report(path: Path, service: Path | None, cluster: Cluster | None, choices: list[Choice]) -> str:
    lines = [f"{one.basis:8} {one.section}.{one.key} = {one.value}: {one.why}" for one in choices]
    untold = cluster.not_told if cluster else {}
    lines += [f"not told {command}: {why}" for command, why in untold.items()]
    lines += ["", f"{path} is written."] if choices else [f"{path} is kept."]
    lines += [f"{service} is written."] if service else []
    return "\n".join(lines)


def _next(path: Path, service: Path | None, state_dir: Path) -> str:
    """The commands to go on with; the state folder is told where they would take another."""
    elsewhere = ["--state-dir", str(state_dir)] if service and state_dir != daemon_file.default_state_dir() else []
    doctor = shlex.join(["ligan", "doctor", "--config", str(path), *elsewhere])
    start = "; systemctl --user daemon-reload; systemctl --user enable --now ligan" if service else ""
    return f" Next: {doctor}{start}"
