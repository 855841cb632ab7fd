"""Task parameters against the registry's JSON Schemas: every finding in words, before anything is queued."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from ligan.problem import invalid_parameters
from ligan.wire.task import TaskKind, TaskKinds


def _is_integer(_checker: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)  # JSON Schema would take 16.0, the backend does not


_Validator = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)
)


def check(kinds: TaskKinds, kind: str, params: dict[str, Any]) -> None:
    """Raises Problem `unknown-task-kind` or `invalid-parameters` with one sentence for each finding."""
    _check_numbers(params)
    _validate(kinds.find(kind), params)


def _check_numbers(params: dict[str, Any]) -> None:
    # Python's reader takes NaN and Infinity, which JSON (RFC 8259) has not, and no minimum or maximum holds NaN back.
    try:
        json.dumps(params, allow_nan=False)
    except ValueError as error:
        raise invalid_parameters([("params", "NaN and Infinity are not numbers of JSON")]) from error


def _validate(kind: TaskKind, params: dict[str, Any]) -> None:
    errors = sorted(_Validator(kind.params).iter_errors(params), key=lambda error: str(error.json_path))
    if errors:
        raise invalid_parameters((_place(error), error.message) for error in errors)


def _place(error: ValidationError) -> str:
    return ".".join(map(str, error.absolute_path)) or "params"
