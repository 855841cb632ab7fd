"""Play one row, from an empty folder to the count."""

from __future__ import annotations

import shutil
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from tests.cluster_fixture import USER
from tests.faults.cluster import Cluster, FakeCluster, RealCluster
from tests.faults.house import House, Outcome
from tests.faults.real import UnavailableError, real_cluster
from tests.faults.row import Fault


def play(fault: Fault, keep: bool = False) -> dict[str, object]:
    """The row's outcome as JSON members, `skipped` where this machine cannot have what it needs."""
    folder = Path(tempfile.mkdtemp(prefix=f"ligan-fault-{fault.name}-"))
    if fault.kind == "real":
        shutil.chown(folder, USER, USER)
    try:
        return asdict(outcome(fault, folder))
    except UnavailableError as error:
        return {"skipped": str(error)}
    finally:
        if keep:
            print(f"{fault.name}: {folder}", file=sys.stderr)
        else:
            shutil.rmtree(folder, ignore_errors=True)


def outcome(fault: Fault, folder: Path) -> Outcome:
    """Play the row in `folder` and count. Raises AssertionError when the system does not come back."""
    cluster: Cluster = FakeCluster(folder) if fault.kind == "fake" else RealCluster(real_cluster(), folder)
    house = House(folder, cluster, fault.people, fault.task_s, fault.settings)
    try:
        house.move_in()
        fault.play(house)
        return house.count()
    finally:
        house.move_out()
