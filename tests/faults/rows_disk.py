"""Rows: the disk under the daemon's state is full."""

from __future__ import annotations

from tests.faults.disk import fill
from tests.faults.house import House
from tests.faults.row import fault


@fault(settings={"harness": {"disk_mb": 48}})
def disk_full(house: House) -> None:
    """The disk of the state folder is full for 20 s: what is not stored is not acknowledged"""
    filler = house.daemon.state_dir / "filler"
    fill(filler)
    house.pass_time(20, "posts, reports and heartbeats must have met it")
    refused = sum(len(person.refused) for person in house.people)
    filler.unlink()
    house.healed()
    house.note("refused_while_full", refused)


@fault(settings={"harness": {"disk_mb": 48}})
def daemon_killed_on_a_full_disk(house: House) -> None:
    """The disk is full, the daemon is killed, the disk has room again, the daemon starts"""
    filler = house.daemon.state_dir / "filler"
    fill(filler)
    house.pass_time(5, "posts must have met it")
    house.daemon.kill()
    filler.unlink()
    house.daemon.start(wait=False)
    house.broken()
