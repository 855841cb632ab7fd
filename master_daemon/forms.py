"""Task parameters against the registry's JSON Schemas: every finding in words, before anything is queued."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator, validators
from jsonschema.exceptions import ValidationError

from ligan.problem import invalid_parameters
from ligan.wire.task import IMAGE_FORMAT, TaskKind, TaskKinds


def _is_integer(_checker: object, value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)  # JSON Schema would take 16.0, the backend does not


_written = json.JSONEncoder(allow_nan=False).encode
_REMEMBERED = 256
_SHORT = 1024
"""Of parameters in order: so many of at most so many characters are remembered for each kind of task."""

_Validator = validators.extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, type_checker=Draft202012Validator.TYPE_CHECKER.redefine("integer", _is_integer)
)


class Form:
    """What one kind of task takes."""

    def __init__(self, kind: TaskKind) -> None:
        self.kind = kind
        self._validator = _Validator(kind.params)
        self._good: set[str] = set()
        fields = kind.params.get("properties", {})
        self._images = [name for name, schema in fields.items() if schema.get("format") == IMAGE_FORMAT]

    def check(self, params: Mapping[str, Any]) -> None:
        """Raises Problem `invalid-parameters` with one sentence for each finding."""
        text = _json(params)
        if text in self._good:
            return
        errors = sorted(self._validator.iter_errors(params), key=lambda error: str(error.json_path))
        if errors:
            raise invalid_parameters((_place(error), error.message) for error in errors)
        if len(text) <= _SHORT and len(self._good) < _REMEMBERED:
            self._good.add(text)

    def images(self, params: Mapping[str, Any]) -> list[str]:
        """IDs of the images that the parameters name, each once."""
        given = [params[name] for name in self._images if isinstance(params.get(name), str)]
        return list(dict.fromkeys(given))


class Forms:
    """Those of all kinds."""

    def __init__(self, kinds: TaskKinds) -> None:
        self._kinds = kinds
        self._forms = {kind.kind: Form(kind) for kind in kinds.kinds}

    def find(self, name: str) -> Form:
        """Raises Problem `unknown-task-kind`, which names those that pages offer."""
        return self._forms.get(name) or Form(self._kinds.find(name))


def _json(params: Mapping[str, Any]) -> str:
    # Python's reader takes NaN and Infinity, which JSON (RFC 8259) has not, and no minimum or maximum holds NaN back.
    try:
        return _written(params)
    except ValueError as error:
        raise invalid_parameters([("params", "NaN and Infinity are not numbers of JSON")]) from error


def _place(error: ValidationError) -> str:
    return ".".join(map(str, error.absolute_path)) or "params"
