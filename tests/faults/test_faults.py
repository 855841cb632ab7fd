"""The short run of the fault table: some rows over the fake Slurm, all at once. `make faults` plays the rest."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.faults.__main__ import run_row
from tests.faults.rows import FAULTS
from tests.faults.table import Result, line

QUICK = [fault for fault in FAULTS.values() if fault.quick]


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, Future[Result]]]:
    with ThreadPoolExecutor(len(QUICK)) as pool:
        yield {fault.name: pool.submit(run_row, fault) for fault in QUICK}


@pytest.mark.parametrize("name", [fault.name for fault in QUICK])
def test_nothing_is_lost_doubled_or_orphaned(results: dict[str, Future[Result]], name: str) -> None:
    result = results[name].result()
    assert result.passed, line(result)


def test_there_are_rows_for_both_clusters_and_each_says_what_happens() -> None:
    kinds = [fault.kind for fault in FAULTS.values()]
    assert kinds.count("fake") >= 30
    assert kinds.count("real") >= 8
    assert all(fault.what for fault in FAULTS.values())
