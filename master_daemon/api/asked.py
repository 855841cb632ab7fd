"""What is answered, whichever way a question came."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from flask import Response
from pydantic import BaseModel

from ligan.web.app import reply


def _nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Asked:
    """A message, its HTTP status, and what is done once the answer is on its way."""

    message: BaseModel
    status: int = 200
    then: Callable[[], object] = _nothing


def respond(asked: Asked) -> Response:
    """The same as Flask's answer."""
    answer = reply(asked.message, asked.status)
    answer.call_on_close(asked.then)
    return answer
