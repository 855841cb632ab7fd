"""Site files for tests and benchmarks: tables of settings, one over the other, written down as an operator would."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path

from tests.cluster_fixture import SlurmCluster

Table = Mapping[str, Mapping[str, object]]
"""Settings by section."""


def on_cluster(cluster: SlurmCluster) -> Table:
    """What LiGAN needs on the real test cluster; its backends have no face model, for that takes a while to load."""
    *prefix, python = cluster.user_python()
    node = {"prefix": prefix, "python": python, "time_limit": 1200}
    return {
        "daemon": {"resource_manager": "slurm_cli", "cluster_host": cluster.login_address},
        "frontend": {"partition": "cpu", **node},
        "backend": {"partition": "gpu", "gres": "gpu:1", "engine": "fake", **node},
    }


def write_site(path: Path, *tables: Table) -> Path:
    """The file at `path`, which everybody may read; later tables count for more."""
    merged: dict[str, dict[str, object]] = defaultdict(dict)
    for table in tables:
        for section, values in table.items():
            merged[section] |= values
    path.write_text("\n".join(_section(name, values) for name, values in merged.items()))
    path.chmod(0o644)
    return path


def _section(name: str, values: Mapping[str, object]) -> str:
    """JSON's scalars and arrays are TOML's, too."""
    return f"[{name}]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
