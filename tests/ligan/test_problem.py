"""Problem documents: every kind is in the catalogue, and survives the wire."""

from __future__ import annotations

import json

import pytest

from ligan.problem import CATALOGUE, TYPE_PREFIX, Problem, ProblemDocument, invalid_parameters


@pytest.mark.parametrize("slug", CATALOGUE)
def test_round_trip(slug: str) -> None:
    problem = Problem(slug, "Do this.", errors=[{"where": "a"}], retry_after_s=7)
    text = problem.document.model_dump_json()
    back = Problem.of(ProblemDocument.model_validate_json(text))
    assert (back.slug, back.status) == (slug, CATALOGUE[slug][0])
    assert back.document == problem.document
    assert json.loads(text)["errors"] == [{"where": "a"}]
    assert json.loads(text)["type"] == TYPE_PREFIX + slug


@pytest.mark.parametrize(("slug", "status", "title"), [(slug, *entry) for slug, entry in CATALOGUE.items()])
def test_every_kind_is_an_error_with_a_title(slug: str, status: int, title: str) -> None:
    assert 400 <= status <= 599
    assert title
    assert not title.endswith(".")
    assert slug == slug.lower().replace("_", "-")


def test_an_unknown_kind_cannot_be_raised() -> None:
    with pytest.raises(KeyError):
        Problem("made-up", "…")


def test_an_unknown_kind_from_the_wire_is_an_internal_error() -> None:
    document = ProblemDocument(type="urn:other:boom", title="Boom", status=418, detail="I am a teapot.")
    problem = Problem.of(document)
    assert (problem.slug, problem.status) == ("internal-error", 500)
    assert problem.document.detail == "I am a teapot."


@pytest.mark.parametrize("name", ["slug", "self", "detail_", "kind"])
def test_extension_members_of_any_name_are_kept(name: str) -> None:
    document = ProblemDocument.model_validate(
        {"type": TYPE_PREFIX + "no-face", "title": "t", "status": 422, "detail": "d", name: 1}
    )
    assert Problem.of(document).document.model_extra == {name: 1}


def test_the_exception_says_kind_and_detail() -> None:
    assert str(Problem("no-face", "Use another photo.")) == "no-face: Use another photo."


def test_findings_are_cut_to_what_a_person_reads() -> None:
    problem = invalid_parameters((f"field{n}", "x" * 100_000) for n in range(100_000))
    assert len(problem.document.model_dump_json()) < 20_000
    assert "field0: xxx" in problem.document.detail


def test_each_finding_has_its_place_and_words() -> None:
    problem = invalid_parameters([("count", "too many"), ("seed", "too small")])
    assert problem.document.detail.startswith("count: too many; seed: too small. ")
    assert problem.document.model_extra == {
        "errors": [{"where": "count", "what": "too many"}, {"where": "seed", "what": "too small"}]
    }
