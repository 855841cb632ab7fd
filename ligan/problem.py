"""Errors people can act on: RFC 9457 problem documents and the exception that carries one through the code."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:ligan:problem:"

# slug -> (HTTP status, title). One line per kind of problem; `docs/problems.md` is generated from it.
CATALOGUE: dict[str, tuple[int, str]] = {
    "not-an-image": (422, "This file is not an image that can be read"),
    "empty-file": (422, "The file is empty"),
    "file-too-large": (413, "The file is too large"),
    "image-too-large": (422, "The image has too many pixels"),
    "image-too-small": (422, "The image is too small"),
    "no-face": (422, "No face was found"),
    "several-faces": (422, "Several faces were found"),
    "face-not-readable": (422, "The face cannot be read"),
    "invalid-parameters": (422, "Some parameters are not valid"),
    "malformed-request": (400, "The request cannot be understood"),
    "no-session": (401, "There is no session"),
    "not-logged-in": (401, "Nobody is logged in"),
    "login-failed": (403, "The login was refused"),
    "cross-site-request": (403, "The request does not come from this service's own pages"),
    "too-many-requests": (429, "Too many requests in a short time"),
    "gpu-time-used-up": (429, "The GPU time of this user is used up"),
    "name-taken": (409, "There is a user of this name already"),
    "unknown-user": (404, "There is no such user"),
    "not-authorised": (403, "This caller may not do that"),
    "not-found": (404, "There is nothing at this address"),
    "method-not-allowed": (405, "This address does not take that method"),
    "unknown-image": (404, "There is no such image in this session"),
    "unknown-task": (404, "There is no such task in this session"),
    "unknown-task-kind": (404, "There is no such kind of task"),
    "stale-report": (409, "The report does not fit the task any more"),
    "backend-not-ready": (503, "The backend is not ready yet"),
    "frontend-not-ready": (503, "The web server is starting"),
    "backend-lost": (503, "The backend ended before the task was done"),
    "out-of-memory": (503, "The task needed more memory than its backend has"),
    "too-many-sessions": (429, "Too many sessions wait for a backend"),
    "maintenance": (503, "No new backends are started at the moment"),
    "queue-full": (429, "Too many tasks are waiting"),
    "too-many-jobs": (429, "Too many test jobs of this user"),
    "job-too-large": (403, "The test job asks for more than a user may have"),
    "job-refused": (422, "A test job of this kind is not taken"),
    "unknown-job": (404, "There is no such test job"),
    "pieces-missing": (409, "The working folder is not here yet"),
    "trial-not-ready": (503, "The test job is starting"),
    "cancelled": (409, "The task was cancelled"),
    "task-ended": (409, "The task has ended already"),
    "not-stoppable": (409, "Tasks of this kind cannot be stopped early"),
    "head-too-large": (431, "The head of the request is too large"),
    "request-timeout": (408, "The request did not arrive in time"),
    "unreachable": (502, "A part of the service did not answer"),
    "weights-missing": (503, "The model's weights are not there"),
    "weights-damaged": (503, "The model's weights are damaged"),
    "weights-mismatch": (503, "The model's weights belong to another model"),
    "engine-unknown": (503, "There is no such model"),
    "device-missing": (503, "The machine lacks what the model runs on"),
    "model-part-missing": (503, "A part of the model is not installed"),
    "storage-full": (507, "There is no room to store anything"),
    "storage-unavailable": (503, "The database does not answer"),
    "internal-error": (500, "Something failed inside the service"),
}


class ProblemDocument(BaseModel):
    """RFC 9457, section 3.1: what went wrong and what to do. Extension members are kept."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(description="Kind of problem: urn:ligan:problem:SLUG")
    title: str = Field(description="The kind of problem in a few words")
    status: int = Field(ge=400, le=599, description="HTTP status")
    detail: str = Field(description="What is wrong here and what to do, in a sentence or two")

    @property
    def slug(self) -> str:
        return self.type.removeprefix(TYPE_PREFIX)


class Problem(Exception):  # noqa: N818 (RFC 9457's own word)
    """Raised anywhere; a request edge turns it into its problem document.

    Raises KeyError when `slug` is not in CATALOGUE, so that no kind goes undocumented.
    """

    def __init__(self, slug: str, detail: str, /, **extensions: Any) -> None:  # noqa: ANN401 (JSON members)
        status, title = CATALOGUE[slug]
        self.document = ProblemDocument.model_validate(
            {"type": TYPE_PREFIX + slug, "title": title, "status": status, "detail": detail, **extensions}
        )
        super().__init__(f"{slug}: {detail}")

    @property
    def slug(self) -> str:
        return self.document.slug

    @property
    def status(self) -> int:
        return self.document.status

    def extended(self, **extensions: Any) -> Problem:  # noqa: ANN401 (JSON members)
        """The same problem with further extension members."""
        return Problem(self.slug, self.document.detail, **{**(self.document.model_extra or {}), **extensions})

    @classmethod
    def of(cls, document: ProblemDocument) -> Problem:
        """The exception of a document that came over the wire; an unknown kind becomes `internal-error`."""
        slug = document.slug if document.slug in CATALOGUE else "internal-error"
        return cls(slug, document.detail, **(document.model_extra or {}))


_FINDINGS = 20
_FINDING_LENGTH = 300


def invalid_parameters(findings: Iterable[tuple[str, str]]) -> Problem:
    """The problem with a sentence for each (place, finding), cut to what a person reads: a request may hold 25 MB."""
    errors = [{"where": _cut(where), "what": _cut(what)} for where, what in islice(findings, _FINDINGS)]
    sentence = "; ".join(f"{error['where']}: {error['what']}" for error in errors)
    return Problem("invalid-parameters", f"{sentence}. The API pages at /docs list what is taken.", errors=errors)


def _cut(text: str) -> str:
    return text if len(text) <= _FINDING_LENGTH else f"{text[:_FINDING_LENGTH]}…"
