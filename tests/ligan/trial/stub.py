"""A daemon that keeps what a trial sends, in memory."""

from __future__ import annotations

import hashlib

from ligan.problem import Problem
from ligan.trial.line import Line
from ligan.web.client import Client
from ligan.wire.trial import LogKept, TrialResult


class StubLine(Line):
    """`away` calls come to nothing first."""

    def __init__(self, pieces: dict[str, bytes] | None = None, limit: int = 1 << 20) -> None:
        super().__init__(Client("http://127.0.0.1:9"), patience_s=5)
        self.pieces = pieces or {}
        self.kept = b""
        self.limit = limit
        self.away = 0
        self.results: list[TrialResult] = []

    def piece(self, sha256: str) -> bytes:
        return self.pieces[sha256]

    def put_piece(self, sha256: str, body: bytes) -> None:
        assert hashlib.sha256(body).hexdigest() == sha256
        self.pieces[sha256] = body

    def log(self, offset: int, data: bytes) -> LogKept:
        if self.away:
            self.away -= 1
            raise Problem("unreachable", "It restarts.")
        if offset <= len(self.kept):
            self.kept = (self.kept[:offset] + data)[: self.limit]
        return LogKept(size=len(self.kept), full=len(self.kept) >= self.limit)

    def end(self, result: TrialResult) -> None:
        self.results.append(result)
