"""The HTTP API of a server, from its OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from docs.generators import markdown, messages, schema

Document = Mapping[str, Any]
_GROUPS = {
    "/api/v1/admin/": "For operators",
    "/cluster/v1/": "For jobs",
    "": "For pages and programs",
}
"""Beginnings of paths, and whose they are: the first that fits."""
_PROBLEM = "application/problem+json"


def page(title: str, document: Document) -> str:
    """A section for each operation, then one for each message."""
    found = document.get("components", {}).get("schemas", {})
    intro = markdown.sentence(document["info"].get("description", ""))
    note = "Every error is a [problem document](problems.md). A `?` marks what may be left out.\n"
    return markdown.page(title, intro + "\n", note, *_operations(document), *messages.sections(found))


def _operations(document: Document) -> Iterator[str]:
    for title, paths in _grouped(document["paths"]).items():
        yield f"## {title}\n"
        for path, methods in paths.items():
            for method, operation in methods.items():
                yield f"### {method.upper()} {path}\n"
                yield from _operation(operation)


def _grouped(paths: Document) -> dict[str, dict[str, Any]]:
    groups: dict[str, dict[str, Any]] = {}
    for path, methods in paths.items():
        title = next(title for start, title in _GROUPS.items() if path.startswith(start))
        groups.setdefault(title, {})[path] = methods
    return groups


def _operation(operation: Document) -> Iterator[str]:
    texts = [operation.get("summary", ""), operation.get("description", "")]
    yield " ".join(markdown.sentence(text) for text in dict.fromkeys(texts) if text) + "\n"
    if operation.get("parameters"):
        yield markdown.table(("parameter", "in", "takes", "meaning"), map(_parameter, operation["parameters"]))
    yield "\n".join([*_body(operation), *_answers(operation["responses"])]) + "\n"


def _parameter(one: Document) -> tuple[str, str, str, str]:
    name = f"`{one['name']}`" + ("" if one.get("required") else " ?")
    return name, one["in"], schema.takes(one["schema"]), one.get("description") or schema.meaning(one["schema"])


def _body(operation: Document) -> Iterator[str]:
    for kind, content in operation.get("requestBody", {}).get("content", {}).items():
        yield f"- Takes `{kind}`: {schema.takes(content.get('schema', {}))}"


def _answers(responses: Document) -> Iterator[str]:
    for status, answer in sorted(responses.items()):
        contents = answer.get("content", {})
        if _PROBLEM not in contents:
            words = [f"`{kind}`: {schema.takes(one.get('schema', {}))}" for kind, one in contents.items()]
            yield f"- Answers {status}: {', '.join(words) or markdown.sentence(answer.get('description', ''))}"
    problems = [status for status, answer in sorted(responses.items()) if _PROBLEM in answer.get("content", {})]
    if problems:
        yield f"- Problems: {', '.join(problems)}"
