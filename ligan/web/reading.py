"""A message out of a JSON body that Flask does not see: taken and refused exactly as by Flask's routes."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from ligan.web.app import invalid, too_deep

M = TypeVar("M", bound=BaseModel)


def read(message: type[M], body: bytes) -> M:
    """Raises Problem `invalid-parameters`, or `malformed-request` for JSON that is nested too deeply."""
    try:
        value = _json(body)
        # As flask_openapi3: a JSON string is taken for the text of the message.
        return message.model_validate_json(value) if isinstance(value, str) else message.model_validate(value)
    except ValidationError as error:
        raise invalid(error) from error
    except RecursionError as error:
        raise too_deep() from error


def _json(body: bytes) -> object:
    """What the body says, None where it is not JSON."""
    with suppress(ValueError):
        return from_json(body, cache_strings="none")
    with suppress(ValueError):
        return json.loads(body)  # takes a little more, and says what is too deep
    return None
