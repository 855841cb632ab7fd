"""Numbers that a database or JSON could not hold are refused where they come in."""

from __future__ import annotations

import json

import pytest
from pydantic import ValidationError

from ligan.ids import new_id
from ligan.wire.base import MOST
from ligan.wire.job import ReportedProgress

_REPORT = {"task_id": new_id("t"), "attempt": 1, "seq": 1, "percent": 1.0}


@pytest.mark.parametrize("name", ["attempt", "seq"])
def test_whole_numbers_fit_into_an_integer_of_every_database(name: str) -> None:
    assert ReportedProgress.model_validate({**_REPORT, name: MOST}).model_dump()[name] == MOST
    for beyond in (MOST + 1, 2**63, 10**400):
        with pytest.raises(ValidationError, match="less than or equal"):
            ReportedProgress.model_validate({**_REPORT, name: beyond})


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_what_is_no_number_of_json_is_refused(word: str) -> None:
    said = json.loads(json.dumps({**_REPORT, "eta_s": 0.5}).replace("0.5", word))
    with pytest.raises(ValidationError, match="finite"):
        ReportedProgress.model_validate(said)
