"""Every family of attacks, the long ones with a tenth of their attacks. `make attack` makes all of them."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.attack.__main__ import SHORT, run_family
from tests.attack.families import FAMILIES
from tests.attack.table import Result, line


@pytest.fixture(scope="module")
def results() -> Iterator[dict[str, Future[Result]]]:
    with ThreadPoolExecutor(2) as pool:
        yield {family.name: pool.submit(run_family, family, SHORT) for family in FAMILIES.values()}


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", list(FAMILIES))
def test_nobody_gets_in_and_nothing_breaks(results: dict[str, Future[Result]], name: str) -> None:
    result = results[name].result()
    if result.skipped:
        pytest.skip(result.skipped)
    assert result.passed, line(result)
