"""Which tests stay together where pytest-xdist spreads them over processes, as `make test` does (`--dist loadgroup`).

All that use the one Slurm cluster, or Apptainer and the images, run one after the other: they break nodes and stop
the controller. Everything else stays together by file, so that what a module sets up is set up once; families of
attacks have nothing in common but their file.
"""

from __future__ import annotations

import pytest

CLUSTER = "cluster"
_SHARED = "slurm_cluster"
"""The fixture."""
_ALONE = (
    "tests/slurm/",
    "tests/singularity/",
    "tests/docs/test_tutorial.py",
    "tests/master_daemon/cluster/test_contract.py",
    "tests/master_daemon/ssh/",
)
"""Where that one thing is set up in other ways, or by a fixture that is chosen by a parameter."""
_FAMILIES = "tests/attack/test_attack.py"


def pytest_itemcollected(item: pytest.Item) -> None:
    item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item: pytest.Item) -> str:
    if item.get_closest_marker(CLUSTER) or _SHARED in getattr(item, "fixturenames", ()):
        return CLUSTER
    path = item.nodeid.partition("::")[0]
    if path.startswith(_ALONE):
        return CLUSTER
    return item.name if path == _FAMILIES else path
