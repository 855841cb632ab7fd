"""Every family of attacks, the long ones with a tenth of their attacks. `make attack` makes all of them."""

from __future__ import annotations

import pytest

from tests.attack.__main__ import SHORT, run_family
from tests.attack.families import FAMILIES
from tests.attack.family import Family
from tests.attack.table import line


def _case(family: Family) -> object:
    marks = [pytest.mark.cluster] if family.on == "Slurm" else []
    return pytest.param(family, id=family.name, marks=marks)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("family", [_case(family) for family in FAMILIES.values()])
def test_nobody_gets_in_and_nothing_breaks(family: Family) -> None:
    result = run_family(family, SHORT)
    if result.skipped:
        pytest.skip(result.skipped)
    assert result.passed, line(result)
