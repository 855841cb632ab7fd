"""The catalogue of problems and the source agree: nothing is raised that is not in it, nothing is in it for show."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from ligan.problem import CATALOGUE

ROOT = Path(__file__).parents[1]
PACKAGES = ("ligan", "master_daemon", "frontend_server", "backend_container")
# Answers to faults of the protocol: `ligan.web.app` makes them out of an HTTP status.
OF_HTTP = {"not-found", "method-not-allowed", "file-too-large", "not-authorised", "malformed-request", "internal-error"}


def trees() -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


def raised(tree: ast.Module) -> Iterator[str]:
    """Slugs of `Problem("slug", …)`, and of the models' errors, which become problems."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Problem", "ModelError"):
            yield from words(node.args[0])


def words(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def test_every_slug_that_is_raised_is_in_the_catalogue() -> None:
    unknown = [(path, slug) for path, tree in trees() for slug in raised(tree) if slug not in CATALOGUE]
    assert unknown == []


def test_every_slug_of_the_catalogue_is_raised_somewhere() -> None:
    used = {slug for _, tree in trees() for slug in raised(tree)}
    # Slugs that reach Problem through a variable stand as words in the same package, outside the catalogue.
    used |= {word for path, tree in trees() if path != "ligan/problem.py" for word in words(tree) if word in CATALOGUE}
    assert set(CATALOGUE) - used - OF_HTTP == set()


def test_slugs_that_are_asked_for_exist() -> None:
    asked = set()
    for _, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and isinstance(node.left, ast.Attribute) and node.left.attr == "slug":
                asked |= {word for comparator in node.comparators for word in words(comparator)}
    assert len(asked) > 5
    assert asked <= set(CATALOGUE)
