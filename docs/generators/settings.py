"""Every setting of a site file."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator

from pydantic import BaseModel

from docs.generators import markdown, schema
from ligan.settings import Settings


def page() -> str:
    """A table for each section: key, meaning, what it takes, default."""
    intro = (
        "A site file is TOML, given to `ligan up --config`. Every key has a default; a wrong one is answered with\n"
        "those that are valid. Times are seconds, or `[days-]HH:MM:SS` where that is said.\n"
    )
    return markdown.page("Settings of a site file", intro, *_sections())


def _sections() -> Iterator[str]:
    for name, section in Settings.model_fields.items():
        model = section.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            yield f"## `[{name}]`\n"
            yield _about(model) + "\n"
            yield markdown.table(("key", "meaning", "takes", "default"), _rows(model))


def _about(model: type[BaseModel]) -> str:
    """`[daemon]`: where it listens. -> Where it listens."""
    text = inspect.getdoc(model) or ""
    about = text.partition(": ")[2] or text
    return about[:1].upper() + about[1:]


def _rows(model: type[BaseModel]) -> Iterator[tuple[str, str, str, str]]:
    described = model.model_json_schema()["properties"]
    for name, field in sorted(model.model_fields.items()):
        one = described[name]
        yield f"`{name}`", one.get("description", ""), schema.takes(one), f"`{json.dumps(field.get_default())}`"
