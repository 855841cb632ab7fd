"""Try one family, from an empty folder to the count."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

from tests.attack.count import Count
from tests.attack.family import Family
from tests.attack.house import House
from tests.attack.recorder import recorded_site
from tests.cluster_fixture import USER, SlurmCluster
from tests.faults.real import real_cluster
from tests.rows.process import in_folder
from tests.site_file import on_cluster


def trial(family: Family, effort: float, keep: bool = False) -> dict[str, object]:
    """The count as JSON members, `skipped` where this machine cannot have what it needs."""
    return in_folder("attack", family.name, keep, lambda folder: asdict(_count(family, _house(family, folder, effort))))


def _house(family: Family, folder: Path, effort: float) -> House:
    if family.on == "Slurm":
        cluster = real_cluster()
        shutil.chown(folder, USER, USER)
        return House(folder, family.settings, effort, site=on_cluster(cluster), ligan=_ligan(cluster))
    return House(folder, family.settings, effort, site=recorded_site(folder) if family.recorded else None)


def _ligan(cluster: SlurmCluster) -> tuple[str, ...]:
    return cluster.user_argv(*cluster.user_python(), "-m", "ligan")


def _count(family: Family, house: House) -> Count:
    count = Count()
    try:
        house.move_in()
        family.attack(house, count)
        house.inspect(count)
    finally:
        house.move_out()
    return count
