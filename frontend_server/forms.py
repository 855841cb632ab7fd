"""Task parameters against the registry's JSON Schemas: every finding in words, before anything is queued."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from ligan.problem import Problem
from ligan.wire.task import TaskKind, TaskKinds


def check(kinds: TaskKinds, kind: str, params: dict[str, Any]) -> None:
    """Raises Problem `unknown-task-kind` or `invalid-parameters` with one sentence for each finding."""
    _validate(_find(kinds, kind), params)


def _find(kinds: TaskKinds, name: str) -> TaskKind:
    for kind in kinds.kinds:
        if kind.kind == name:
            return kind
    valid = ", ".join(kind.kind for kind in kinds.kinds if not kind.hidden)
    raise Problem("unknown-task-kind", f"There is no task kind {name!r}; valid: {valid}.")


def _validate(kind: TaskKind, params: dict[str, Any]) -> None:
    errors = sorted(Draft202012Validator(kind.params).iter_errors(params), key=lambda error: str(error.json_path))
    if not errors:
        return
    findings = [{"where": _place(error), "what": error.message} for error in errors]
    sentence = "; ".join(f"{finding['where']}: {finding['what']}" for finding in findings)
    raise Problem("invalid-parameters", f"{sentence}. The API pages at /docs list what is taken.", errors=findings)


def _place(error: ValidationError) -> str:
    return ".".join(map(str, error.absolute_path)) or "params"
