"""What differs from one Slurm site to another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

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
        return (*options, *(word for word in self.extra_args.get(role, ()) if not _replaced(word, own)))


def _replaced(word: str, own: Mapping[str, str | None]) -> bool:
    """Is the site's further option overruled? GPUs can be asked for in several ways."""
    name = word.removeprefix("--").partition("=")[0]
    return name in own or ("gres" in own and name.startswith("gpus"))
