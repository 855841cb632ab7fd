"""The kinds of tasks, from the backend's registry."""

from __future__ import annotations

from collections.abc import Iterator

from backend_container.tasks import REGISTRY
from docs.generators import markdown, schema
from ligan.wire.task import TaskKind

_INTRO = """`POST /api/v1/tasks` takes `{"kind": KIND, "params": {...}}`; `GET /api/v1/tasks/kinds` answers these kinds
as JSON Schemas. A `?` marks what may be left out.
"""


def page() -> str:
    """A section for each kind."""
    return markdown.page("Kinds of tasks", _INTRO, *_kinds())


def _kinds() -> Iterator[str]:
    for kind in REGISTRY.kinds().kinds:
        yield f"## {kind.title}: `{kind.kind}`\n"
        yield markdown.sentence(kind.description) + "\n"
        yield markdown.table(("parameter", "takes", "meaning"), schema.rows(kind.params))
        yield _demands(kind)


def _demands(kind: TaskKind) -> str:
    where = "Runs on a GPU or a CPU" if kind.cpu else "Waits for a GPU"
    hidden = " Pages do not offer it; programs may ask for it." if kind.hidden else ""
    return f"{where}; a backend takes it with at least {kind.time_request_s:g} s left.{hidden}\n"
