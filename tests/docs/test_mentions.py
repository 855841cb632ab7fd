"""Whatever command, option, target, setting or file the documents name is there."""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from backend_container.training.attributes.config import Config as Attributes
from backend_container.training.encoder.config import Config as Encoder
from backend_container.training.generator.config import Config as Generator
from docs.generators.commands import entries, parsers
from ligan.settings import Settings
from tests.docs import mentions
from tests.docs.mentions import ROOT

DOCUMENTS = mentions.documents()
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith(".")} - {"build", "state"}
DOTTED = re.compile(r"^(?P<section>[a-z_]+)\.(?P<key>[a-z_]+)(?: = .*)?$")
BRACKETED = re.compile(r"`\[(?P<section>[a-z_]+)\](?:`\s`|\s)(?P<key>[a-z_]+)\b")
ROOTS = (ROOT, ROOT / "tests")
TRAININGS = (Attributes, Encoder, Generator)
EXAMPLES = {"backend_container/tasks/mirror.py"}
"""Files that a reader is told to make."""
FILE_ENDINGS = {"conf", "py", "toml", "md", "sh"}
each = pytest.mark.parametrize("path", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])


def test_they_are_found() -> None:
    """That nothing is wrong says something only where something is read."""
    texts = [path.read_text() for path in DOCUMENTS]
    assert sum(len(named) for text in texts for _, named in mentions.commands(text)) > 20
    assert sum(len(list(mentions.targets(text))) for text in texts) > 15
    assert sum(len(list(mentions.paths(text, FOLDERS))) for text in texts) > 40
    assert sum(len(mentions.blocks(text, "toml")) for text in texts) >= 5
    assert sum(len(BRACKETED.findall(text)) for text in texts) > 8


def settings() -> dict[str, set[str]]:
    """Keys by section."""
    models = {name: field.annotation for name, field in Settings.model_fields.items()}
    return {
        name: set(model.model_fields)
        for name, model in models.items()
        if isinstance(model, type) and issubclass(model, BaseModel)
    }


def options() -> dict[str, set[str]]:
    """Those of each verb, with those of its second words."""
    return {
        entry.name: {option for parser in parsers(entry) for option in parser._option_string_actions}
        for entry in entries()
    }


@each
def test_commands(path: Path) -> None:
    known, wrong = options(), []
    for verb, named in mentions.commands(path.read_text()):
        wrong += [f"ligan {verb} {option}" for option in ["", *named] if option not in known.get(verb, set()) | {""}]
        wrong += [f"ligan {verb}"] if verb not in known else []
    assert wrong == []


@each
def test_make_targets(path: Path) -> None:
    known = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(mentions.targets(path.read_text())) - known == set()


@each
def test_settings_in_sentences(path: Path) -> None:
    known, text = settings(), path.read_text()
    named = [(found["section"], found["key"]) for found in map(DOTTED.match, mentions.code(text)) if found]
    named += [(found["section"], found["key"]) for found in BRACKETED.finditer(text)]
    named = [(section, key) for section, key in named if section in known and key not in FILE_ENDINGS]
    assert [f"{section}.{key}" for section, key in named if key not in known[section]] == []


@each
def test_settings_in_site_files(path: Path) -> None:
    known = settings()
    for site in filter(is_site, tables(path)):
        wrong = [
            f"{section}.{key}" for section, table in site.items() for key in table if key not in known.get(section, ())
        ]
        assert wrong == []


@each
def test_settings_in_training_files(path: Path) -> None:
    for training in itertools.filterfalse(is_site, tables(path)):
        assert [kind for kind in TRAININGS if set(training) <= set(kind.model_fields)], training


def tables(path: Path) -> Iterator[Mapping[str, Any]]:
    """TOML that a document shows."""
    return map(tomllib.loads, mentions.blocks(path.read_text(), "toml"))


def is_site(table: Mapping[str, Any]) -> bool:
    """Site files have sections alone, configurations of a training have none."""
    return all(isinstance(section, dict) for section in table.values())


@each
def test_files(path: Path) -> None:
    wrong = [name for name in mentions.paths(path.read_text(), FOLDERS) if not _there(name)]
    assert wrong == []


def _there(name: str) -> bool:
    """From the root, or from tests/, whose folders mirror the packages."""
    return name in EXAMPLES or any(any(root.glob(one.rstrip("/"))) for root in ROOTS for one in _spread(name))


def _spread(name: str) -> list[str]:
    """a{b,c}d -> abd, acd: as bash does, for one pair of braces."""
    if not (found := re.match(r"(.*)\{(.*)\}(.*)", name)):
        return [name]
    return [found[1] + middle + found[3] for middle in found[2].split(",")]
