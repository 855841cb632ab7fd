"""A slurm.conf for srun alone, with which it asks slurmctld one question less for each job. slurm.conf(5), srun(1).

After its allocation srun asks whether the nodes are up (JOB_READY), unless SuspendTimeout is 0: that counts for it as
"nodes are never powered down". Stock it is 30 s, also where nothing can power a node down. There srun is given a file
that includes the site's and sets SuspendTimeout to 0. Slurm up to 22.05 is like that; later releases always ask.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from master_daemon.cluster.command import CommandError, Runner
from master_daemon.cluster.findings import Configuration, parse_configuration

logger = logging.getLogger(__name__)

_ALWAYS_ASKS = (23, 2)
"""From this release on srun asks whatever the file says."""
_NEEDED = {"SuspendProgram": "(null)", "PrologSlurmctld": "(null)", "PrologFlags": "(null)"}
"""Nothing powers nodes down, and no prolog begins with the allocation: `srun --immediate` fails if it has to wait for
one, and the question is how it waits."""
_SAME = ("ClusterName", "BOOT_TIME")
"""What tells one controller from another."""


def unasking_conf(folder: Path, run: Runner, environment: Mapping[str, str] = os.environ) -> Path | None:
    """Write such a file into `folder`, which is ours, and return its path; None where srun would not gain by it.

    Asks the controller twice: what it is like, and whether the same one answers through the new file. Never raises.
    """
    try:
        site = parse_configuration(run(("scontrol", "show", "config")).stdout)
        if not asks_in_vain(site):
            return None
        ours = _write(folder.resolve(), Path(environment.get("SLURM_CONF") or site["SLURM_CONF"]))
        answer = parse_configuration(run(("env", f"SLURM_CONF={ours}", "scontrol", "show", "config")).stdout)
    except (CommandError, OSError, KeyError) as error:
        logger.info("srun asks whether its nodes are up: %s", error)
        return None
    return ours if all(answer.get(name) == site.get(name) for name in _SAME) else None


def asks_in_vain(configuration: Configuration) -> bool:
    """Does srun ask whether nodes are up that are never down? Of `scontrol show config`."""
    release = re.match(r"(\d+)\.(\d+)", configuration.get("SLURM_VERSION", ""))
    if release is None or (int(release[1]), int(release[2])) >= _ALWAYS_ASKS:
        return False
    asks = all(re.match("[1-9]", configuration.get(name, "")) for name in ("SuspendTimeout", "ResumeTimeout"))
    return asks and all(configuration.get(name) == value for name, value in _NEEDED.items())


def _write(folder: Path, site_conf: Path) -> Path:
    """Its neighbours are linked, since Slurm looks for plugstack.conf and others beside slurm.conf. Raises OSError."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    for neighbour in site_conf.parent.iterdir():
        if neighbour.name != "slurm.conf":
            (folder / neighbour.name).symlink_to(neighbour.absolute())
    ours = folder / "slurm.conf"
    ours.write_text(f"Include {site_conf.absolute()}\nSuspendTimeout=0\n")
    return ours
