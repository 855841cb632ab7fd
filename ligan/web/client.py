"""Calls between the parts: typed messages out and in, problem documents become exceptions."""

from __future__ import annotations

import threading
from contextlib import suppress
from typing import TypeVar

import requests
from pydantic import BaseModel, ValidationError
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from ligan.intervals import CALL_TIMEOUT
from ligan.problem import MEDIA_TYPE, Problem, ProblemDocument

M = TypeVar("M", bound=BaseModel)


class Client:
    """One part's line to another. Thread-safe; connections are kept open.

    Every method raises Problem: the other's own, or `unreachable` when no sensible answer came, or when `at_once`
    calls are waiting for one already.
    """

    def __init__(
        self, base_url: str, headers: dict[str, str] | None = None, timeout_s: float = CALL_TIMEOUT, at_once: int = 32
    ) -> None:
        self._base = base_url.rstrip("/")
        self._timeout = timeout_s
        self._free = threading.BoundedSemaphore(at_once)
        self._session = requests.Session()
        self._session.trust_env = False  # a site's proxy variables must not lead cluster-local calls astray
        self._session.mount("http://", HTTPAdapter(pool_connections=4, pool_maxsize=32))
        self._session.headers.update(headers or {})

    def get(self, path: str, answer: type[M], params: dict[str, str] | None = None) -> M:
        return _read(self._send("GET", path, params=params), answer)

    def post(self, path: str, message: BaseModel, answer: type[M]) -> M:
        return _read(self._send("POST", path, body=message.model_dump_json().encode()), answer)

    def delete(self, path: str, answer: type[M], params: dict[str, str] | None = None) -> M:
        return _read(self._send("DELETE", path, params=params), answer)

    def get_bytes(self, path: str) -> bytes:
        return self._send("GET", path).content

    def put_bytes(self, path: str, body: bytes) -> None:
        self._send("PUT", path, body=body, content_type="application/octet-stream")

    def _send(
        self,
        method: str,
        path: str,
        params: dict[str, str] | None = None,
        body: bytes | None = None,
        content_type: str = "application/json",
    ) -> requests.Response:
        headers = {"Content-Type": content_type} if body is not None else {}
        if not self._free.acquire(blocking=False):
            raise Problem("unreachable", f"{method} {path}: earlier calls have no answer yet; try again in a moment.")
        try:
            response = self._session.request(
                method,
                self._base + path,
                params=params,
                data=body,
                headers=headers,
                timeout=self._timeout,
                allow_redirects=False,  # an address answers for itself
            )
        except (requests.RequestException, HTTPError) as error:
            raise Problem("unreachable", f"{method} {path}: {type(error).__name__}; try again in a moment.") from error
        finally:
            self._free.release()
        if response.status_code >= 300:
            raise _problem(response)
        return response


def _read(response: requests.Response, answer: type[M]) -> M:
    try:
        return answer.model_validate_json(response.content)
    except ValidationError as error:
        raise Problem("unreachable", f"{response.url} answered something else than {answer.__name__}.") from error


def _problem(response: requests.Response) -> Problem:
    with suppress(ValidationError):
        if response.headers.get("Content-Type", "").startswith(MEDIA_TYPE):
            return Problem.of(ProblemDocument.model_validate_json(response.content))
    return Problem("unreachable", f"{response.url} answered {response.status_code} {response.reason}.")
