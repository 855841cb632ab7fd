"""Events of a page's stream."""

from __future__ import annotations

from pydantic.json_schema import models_json_schema

from docs.generators import markdown, messages, schema
from ligan import intervals
from master_daemon.api.documents import EVENTS

_INTRO = f"""`GET /api/v1/events` is a stream of Server-Sent Events (WHATWG HTML, section 9.2). Each event has an `id`,
which grows by one per session, a name (`event`) and a JSON object (`data`). A client that connects again sends the last
id as `Last-Event-ID` and gets what it missed; the last {intervals.SSE_BACKLOG} are kept, and whoever missed more gets
`resync` and reads the state anew. Silence is filled every {intervals.SSE_KEEPALIVE:g} s with an
event `keepalive` without data: a client that hears nothing for twice as long knows that the service hangs.
"""


def page() -> str:
    """A table of the names, then the messages in them."""
    names = ((f"`{name}`", schema.link(message.__name__)) for name, message in EVENTS.items())
    found = models_json_schema([(message, "serialization") for message in dict.fromkeys(EVENTS.values())])[1]
    return markdown.page("Events", _INTRO, markdown.table(("event", "data"), names), *messages.sections(found["$defs"]))
