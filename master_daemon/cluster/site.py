"""What differs from one Slurm site to another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from master_daemon.cluster.gres import has_gpus, without_gpus
from master_daemon.cluster.manager import SubmitRefusedError

_NONE: Mapping[str, str | None] = {}


@dataclass(frozen=True)
class SlurmSite:
    """The mappings are by role (`frontend`, `backend`, `cpu`, `trial`)."""

    log_dir: Path
    """Folder of the jobs' output and their working directory, on a file system that the workers share."""
    partitions: Mapping[str, str]
    """A role without a partition cannot be submitted."""
    gres: Mapping[str, str] = field(default_factory=dict)
    """Generic resources, such as `gpu:1`."""
    cpus: Mapping[str, int] = field(default_factory=dict)
    memory: Mapping[str, str] = field(default_factory=dict)
    """Memory per node, such as `8G`."""
    extra_args: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Options of sbatch(1) as a site writes them, such as `--exclude=node7`."""
    named: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Options by their name in sbatch(1), such as `account` or `signal`."""

    def options(self, role: str, own: Mapping[str, str | None] = _NONE) -> tuple[str, ...]:
        """The role's options of sbatch, with those of `own` in place of the site's (None: without it).

        Raises SubmitRefusedError for a role without a partition.
        """
        if role not in self.partitions:
            known = ", ".join(sorted(self.partitions)) or "none"
            raise SubmitRefusedError(f"the site names no partition for the role {role!r}; roles with one: {known}")
        values = {
            "partition": self.partitions[role],
            "chdir": str(self.log_dir),
            "gres": self.gres.get(role),
            "cpus-per-task": self.cpus.get(role),
            "mem": self.memory.get(role),
            **self.named.get(role, {}),
            **own,
        }
        options = (f"--{name}={value}" for name, value in values.items() if value is not None)
        return (*options, *_left(self.extra_args.get(role, ()), own))


def _left(words: Sequence[str], own: Mapping[str, str | None]) -> Iterator[str]:
    """Of the site's further options those that are not overruled. GPUs can be asked for in several ways, and without
    any sbatch refuses what is counted for each, such as --ntasks-per-gpu.
    """
    overrules = "gres" in own
    none = overrules and not has_gpus(own["gres"])
    for word in words:
        name = word.removeprefix("--").partition("=")[0]
        left = without_gpus(word) if overrules else word
        if left and name not in own and not (none and name.endswith("-per-gpu")):
            yield left
