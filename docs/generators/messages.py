"""Messages of an API: a heading for each, to which `schema.link` leads."""

from __future__ import annotations

from collections.abc import Iterator

from docs.generators import markdown, schema
from docs.generators.schema import Schema


def sections(messages: Schema) -> Iterator[str]:
    """What each message is and has, by name. Nothing where there are none."""
    if messages:
        yield "## Messages\n"
    for name, message in sorted(messages.items()):
        yield f"### {name}\n"
        yield from _about(message)


def _about(message: Schema) -> Iterator[str]:
    if message.get("description"):
        yield markdown.sentence(message["description"]) + "\n"
    if message.get("properties"):
        yield markdown.table(("member", "takes", "meaning"), schema.rows(message))
    elif "enum" in message:
        yield f"One of {schema.takes(message)}.\n"
