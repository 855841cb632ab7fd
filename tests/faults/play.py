"""Play one row, from an empty folder to the count."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

from tests.cluster_fixture import USER
from tests.faults.cluster import Cluster, FakeCluster, RealCluster
from tests.faults.house import House, Outcome
from tests.faults.real import real_cluster
from tests.faults.row import Fault
from tests.rows.process import in_folder


def play(fault: Fault, keep: bool = False) -> dict[str, object]:
    """The row's outcome as JSON members, `skipped` where this machine cannot have what it needs."""
    return in_folder("fault", fault.name, keep, lambda folder: asdict(outcome(fault, folder)))


def outcome(fault: Fault, folder: Path) -> Outcome:
    """Play the row in `folder` and count. Raises AssertionError when the system does not come back."""
    house = House(folder, _cluster(fault, folder), fault.people, fault.task_s, fault.settings)
    try:
        house.move_in()
        fault.play(house)
        return house.count()
    finally:
        house.move_out()


def _cluster(fault: Fault, folder: Path) -> Cluster:
    if fault.kind == "fake":
        return FakeCluster(folder)
    cluster = real_cluster()
    shutil.chown(folder, USER, USER)
    return RealCluster(cluster, folder)
