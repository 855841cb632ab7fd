"""JSON Schema (draft 2020-12, as pydantic and OpenAPI 3.1 write it) in a reader's words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

Schema = Mapping[str, Any]
_BOUNDS = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "maxLength": "≤ {} characters"}


def rows(schema: Schema) -> Iterator[tuple[str, str, str]]:
    """(name, what it takes, meaning) of each property of an object; the name of one that may be left out has a `?`."""
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        yield f"`{name}`" + ("" if name in required else " ?"), takes(field), meaning(field)


def takes(schema: Schema) -> str:
    """What values a schema allows: its type, choices and bounds; other messages as links to their headings."""
    if "$ref" in schema:
        return link(str(schema["$ref"]))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{json.dumps(value)}`" for value in schema.get("enum", [schema.get("const")]))
    for joint in ("anyOf", "oneOf", "allOf"):
        if joint in schema:
            return " or ".join(dict.fromkeys(takes(one) for one in schema[joint]))
    return ", ".join([_type(schema), *_bounds(schema)])


def link(reference: str) -> str:
    """To the heading of the message that `#/components/schemas/NAME` or `#/$defs/NAME` is about."""
    name = reference.rpartition("/")[2]
    return f"[{name}](#{name.lower()})"


def meaning(schema: Schema) -> str:
    """Its description, and the default where there is one that says something."""
    default = schema.get("default")
    shown = "" if default in (None, "", [], {}) else f" Default: `{json.dumps(default, ensure_ascii=False)}`."
    text = str(schema.get("description", ""))
    return text + ("." if text and shown and text[-1] != "." else "") + shown


def _type(schema: Schema) -> str:
    kind = str(schema.get("type", "any"))
    if kind == "array":
        return f"list of {takes(schema.get('items', {}))}"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {takes(schema['additionalProperties'])}"
    return kind if "format" not in schema else f"{kind} ({schema['format']})"


def _bounds(schema: Schema) -> Iterator[str]:
    for key, words in _BOUNDS.items():
        if key in schema:
            yield words.format(f"{schema[key]:g}")
