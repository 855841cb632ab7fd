"""What tests find in their environment is the same for everybody, whatever a shell, a job or a git hook has set."""

from __future__ import annotations

import getpass
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path

_THEIRS = re.compile(
    r"LIGAN_(?!TEST_|RECORD|SCREENSHOTS)"  # of somebody who uses LiGAN
    r"|SLURM|(SBATCH|SALLOC|SRUN|SQUEUE|SINFO|SACCT|SCONTROL)_"  # of a job in which the tests run, and of its user
    r"|(WORLD_SIZE|RANK|LOCAL_RANK|LOCAL_WORLD_SIZE|MASTER_ADDR|MASTER_PORT)$"
    r"|XDG_|(GIT|SSH)_|PG[A-Z]|(APPTAINER|SINGULARITY)(ENV)?_(?!ROOT$)|(COLUMNS|LINES)$"
)
_HERE = "localhost,127.0.0.0/8,::1,10.77.0.0/16"
"""This machine and the test cluster. apt and pip may need the site's proxy; nobody else asks further away."""
_SETTLED = {"NETRC": os.devnull, "GIT_CONFIG_GLOBAL": os.devnull}
"""Logins for requests, and a person's ways with git."""


def settle() -> None:
    """For this process; before anything reads it."""
    environment = settled(os.environ)
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)


def lie_where_sockets_can() -> None:
    """For pytest's folders, with their long names, and so that it has one of its own."""
    if not is_fit_for_sockets(os.environ.get("TMPDIR", "/tmp")):  # noqa: S108 (the default)
        del os.environ["TMPDIR"]
        tempfile.tempdir = None  # it was looked up before
    if _is_anothers(Path(tempfile.gettempdir(), f"pytest-of-{getpass.getuser()}")):
        os.environ["PYTEST_DEBUG_TEMPROOT"] = tempfile.mkdtemp(prefix="ligan-tests-")


def settled(found: Mapping[str, str]) -> dict[str, str]:
    """The environment for the tests, and for what they start."""
    kept = {name: value for name, value in found.items() if not _THEIRS.match(name)}
    direct = {name: ",".join(filter(None, (found.get(name), _HERE))) for name in ("NO_PROXY", "no_proxy")}
    return {**kept, **direct, **_SETTLED}


def is_fit_for_sockets(folder: str) -> bool:
    """The path of a socket below it has 107 bytes at most, and the files of sshd know no space."""
    return re.fullmatch(r"/[\w./-]{1,24}", folder) is not None


def _is_anothers(folder: Path) -> bool:
    """Of an earlier user of the same name: pytest would use no other, and end."""
    return folder.exists() and folder.stat().st_uid != os.getuid()
