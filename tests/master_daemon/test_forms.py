"""Parameters of tasks against the registry's schemas, as the daemon asks for them."""

from __future__ import annotations

import json
import math
import sys
from typing import Any

import pytest

from ligan.ids import new_id
from ligan.problem import Problem
from ligan.wire.task import TaskKinds
from master_daemon.describe import Descriptions
from master_daemon.forms import Forms


@pytest.fixture(scope="module")
def kinds() -> TaskKinds:
    return Descriptions([sys.executable]).kinds


@pytest.fixture(scope="module")
def forms(kinds: TaskKinds) -> Forms:
    return Forms(kinds)


def image() -> str:
    return new_id("i")


def refusal(forms: Forms, kind: str, params: dict[str, Any]) -> Problem:
    with pytest.raises(Problem) as raised:
        forms.find(kind).check(params)
    return raised.value


GOOD: list[tuple[str, dict[str, Any]]] = [
    ("noop", {}),
    ("noop", {"seconds": 0.5}),
    ("random", {"count": 1, "seed": 4294967295}),
    ("similar", {"image": image(), "page": 1, "count": 16, "seed": 0}),
    ("interpolate", {"image_a": image(), "image_b": image(), "count": 2}),
]


@pytest.mark.parametrize(("kind", "params"), GOOD)
def test_good_parameters_are_taken(forms: Forms, kind: str, params: dict[str, Any]) -> None:
    form = forms.find(kind)
    form.check(params)
    assert form.kind.kind == kind


def test_the_images_are_those_that_the_schema_names(forms: Forms) -> None:
    one, other = image(), image()
    assert forms.find("interpolate").images({"image_a": one, "image_b": other}) == [one, other]
    assert forms.find("interpolate").images({"image_a": one, "image_b": one}) == [one]
    assert forms.find("noop").images({"seconds": 1}) == []


@pytest.mark.parametrize(
    ("kind", "params", "place"),
    [
        ("similar", {}, "params"),
        ("similar", {"image": 3}, "image"),
        ("similar", {"image": None}, "image"),
        ("similar", {"image": "i-1"}, "image"),
        ("similar", {"image": "../../etc/passwd"}, "image"),
        ("similar", {"image": image(), "page": 0}, "page"),
        ("similar", {"image": image(), "count": 65}, "count"),
        ("similar", {"image": image(), "count": "16"}, "count"),
        ("similar", {"image": image(), "count": True}, "count"),
        ("similar", {"image": image(), "count": 1.5}, "count"),
        ("similar", {"image": image(), "count": 16.0}, "count"),
        ("similar", {"image": image(), "seed": -1}, "seed"),
        ("similar", {"image": image(), "seed": 10**400}, "seed"),
        ("similar", {"image": image(), "more": 1}, "params"),
        ("interpolate", {"image_a": image()}, "params"),
        ("interpolate", {"image_a": image(), "image_b": [image()]}, "image_b"),
        ("interpolate", {"image_a": image(), "image_b": image(), "count": 1}, "count"),
        ("random", {"count": 0}, "count"),
        ("random", {"image": image()}, "params"),
        ("noop", {"seconds": -0.1}, "seconds"),
        ("noop", {"seconds": "1"}, "seconds"),
        ("noop", {"seconds": [[[1]]]}, "seconds"),
        ("noop", {"\ud800": 1}, "params"),
    ],
)
def test_parameters_that_are_not_valid(forms: Forms, kind: str, params: dict[str, Any], place: str) -> None:
    document = refusal(forms, kind, params).document
    assert document.slug == "invalid-parameters"
    assert [finding["where"] for finding in (document.model_extra or {})["errors"]] == [place]
    assert document.detail.startswith(f"{place}: ")


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, json.loads("1e999")])
def test_numbers_that_json_has_not(forms: Forms, number: float) -> None:
    # Python reads them, and NaN passes every minimum and maximum.
    assert refusal(forms, "noop", {"seconds": number}).slug == "invalid-parameters"


def test_an_unknown_kind_lists_the_ones_that_pages_offer(forms: Forms, kinds: TaskKinds) -> None:
    with pytest.raises(Problem) as raised:
        forms.find("similr")
    detail = raised.value.document.detail
    assert raised.value.slug == "unknown-task-kind"
    assert "'similr'" in detail
    assert ", ".join(kind.kind for kind in kinds.kinds if not kind.hidden) in detail
    assert "noop" not in detail


def test_what_was_good_once_is_good_again_and_nothing_else_is(forms: Forms) -> None:
    for _ in range(2):
        forms.find("noop").check({"seconds": 1})
        assert refusal(forms, "noop", {"seconds": -1}).slug == "invalid-parameters"
    assert refusal(forms, "noop", {"seconds": "1"}).slug == "invalid-parameters"


def test_it_remembers_no_more_than_a_few(kinds: TaskKinds) -> None:
    form = Forms(kinds).find("noop")
    for number in range(300):
        form.check({"seconds": number})
    assert len(form._good) == 256
