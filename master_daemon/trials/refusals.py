"""What is not taken as a trial, in words that say what to do instead. Pure."""

from __future__ import annotations

import re

from ligan.problem import Problem
from ligan.settings import Settings
from ligan.wire.trial import NewTrial
from master_daemon.cluster.container import image_of

_INDEX = re.compile(r"SLURM_ARRAY_[A-Z_]+")
_ARRAY = "Job arrays are not taken: one test job is one command. Submit it once for each value"
_INSTEAD = ", for example `for i in 1 2 3; do ligan submit --detach -- COMMAND $i; done`, or loop within the command."
_NODES = "A test job runs on one node. Ask for more GPUs of it with --gpus, or use the cluster's own sbatch."
_UNCONTAINED = (
    "Without a container the command would run as the account that LiGAN runs as, with all that this account may read. "
    "An operator can have test jobs run in one (section [container]), or allow this ([trials] uncontained = true)."
)


def check_shape(order: NewTrial) -> None:
    """Raises Problem `job-refused` for arrays and for more than one node."""
    index = next(filter(None, map(_INDEX.search, order.command)), None)
    if order.array:
        raise Problem("job-refused", _ARRAY + _INSTEAD)
    if index is not None:
        raise Problem("job-refused", f"The command uses {index[0]}. {_ARRAY}{_INSTEAD}")
    if order.nodes > 1:
        raise Problem("job-refused", _NODES)


def check_trust(settings: Settings, operator: bool) -> None:
    """Raises Problem `job-refused` where a developer's command could read what is the daemon's own, its keys too."""
    contained = settings.container.runtime != "none"
    if not (operator or contained or settings.trials.uncontained):
        raise Problem("job-refused", _UNCONTAINED)


def check_size(order: NewTrial, settings: Settings) -> None:
    """Raises Problem `job-too-large`, and `job-refused` for a partition or an image that the site does not have."""
    limits, most = settings.limits, settings.trials.folder_mb << 20
    for what, asked, limit in (
        ("minutes", order.minutes, limits.test_job_minutes),
        ("GPUs", order.gpus, limits.test_job_gpus),
        ("bytes in its working folder", order.folder.size if order.folder else 0, most),
    ):
        if asked > limit:
            detail = f"A test job may have {limit} {what}, not {asked}."
            raise Problem("job-too-large", detail, limit=limit, asked=asked)
    _check_partition(order.partition, settings)
    if settings.container.runtime != "none" and not image_of(settings.container, order.image):
        raise Problem("job-refused", f"This site has no image {order.image!r}; take another with --image.")


def _check_partition(partition: str, settings: Settings) -> None:
    known = settings.trial.partition.split(",") if settings.trial.partition else []
    if partition and partition not in known:
        which = f"it has {', '.join(known)}" if known else "leave --partition out"
        raise Problem("job-refused", f"This site takes no test jobs in the partition {partition!r}; {which}.")
