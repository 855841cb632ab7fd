"""The trial's line home: every call is tried until the daemon hears it, refuses it, or has stayed away for too long."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ligan.problem import Problem
from ligan.web.client import Client
from ligan.wire.job import Done, Ready
from ligan.wire.trial import LogKept, TrialOrder, TrialResult

T = TypeVar("T")
_PAUSE = 0.5


class Line:
    """`patience_s`: seconds without an answer after which a call is given up. Every method raises Problem."""

    def __init__(self, client: Client, patience_s: float) -> None:
        self._client = client
        self.patience_s = patience_s

    def ready(self) -> None:
        self._tried(lambda: self._client.post("/on-ready", Ready(), Done))

    def order(self) -> TrialOrder:
        return self._tried(lambda: self._client.get("/trial/order", TrialOrder))

    def piece(self, sha256: str) -> bytes:
        return self._tried(lambda: self._client.get_bytes(f"/trial/pieces/{sha256}"))

    def put_piece(self, sha256: str, body: bytes) -> None:
        self._tried(lambda: self._client.put_bytes(f"/trial/pieces/{sha256}", body))

    def log(self, offset: int, data: bytes) -> LogKept:
        """Once: the next part is sent anyway."""
        answer = self._client.put_bytes(f"/trial/log?offset={offset}", data)
        return LogKept.model_validate_json(answer)

    def end(self, result: TrialResult) -> None:
        self._tried(lambda: self._client.post("/trial/on-end", result, Done))

    def _tried(self, call: Callable[[], T]) -> T:
        deadline = time.monotonic() + self.patience_s
        while True:
            try:
                return call()
            except Problem as problem:
                if problem.status < 500 or time.monotonic() > deadline:
                    raise
            time.sleep(_PAUSE)
