"""Artifacts on their way between jobs and daemon (cluster-local, /cluster/v1)."""

from __future__ import annotations

from flask import Response, request, send_file
from pydantic import BaseModel

from ligan.ids import Sha256
from ligan.problem import Problem
from ligan.web.app import APIBlueprint
from ligan.wire.job import Done
from master_daemon.api.asked import Asked, respond
from master_daemon.api.caller import BACKENDS, Claim, admit, calling_backend, claim
from master_daemon.parts import Parts
from master_daemon.state import images, placing
from master_daemon.state.jobs import Job


class ArtifactPath(BaseModel):
    sha256: Sha256


def artifacts_api(parts: Parts) -> APIBlueprint:
    """Routes for jobs, each with its own token."""
    api = APIBlueprint("artifacts", __name__, url_prefix="/cluster/v1")

    @api.put("/artifacts/<sha256>", summary="Store bytes under their SHA-256", responses={"200": Done})
    def put_artifact(path: ArtifactPath) -> Response:
        return respond(stored(parts, claim(), path.sha256, request.get_data()))

    @api.get("/artifacts/<sha256>", summary="Bytes of an artifact of the backend's own session")
    def get_artifact(path: ArtifactPath) -> Response:
        job = calling_backend(parts)
        if not _may_read(parts, job, path.sha256) or not parts.artifacts.has(path.sha256):
            raise Problem("unknown-image", "The session of this backend has no such artifact.")
        return send_file(parts.artifacts.path(path.sha256), mimetype="application/octet-stream")

    return api


def stored(parts: Parts, claimed: Claim, sha256: str, body: bytes) -> Asked:
    """Bytes of a job that may send some. Raises Problem: not-authorised, malformed-request."""
    with parts.database.read() as connection:
        admit(parts, connection, claimed, "frontend", *BACKENDS)
    parts.artifacts.put(sha256, body)
    return Asked(Done())


def _may_read(parts: Parts, job: Job, sha256: str) -> bool:
    """Its own session's images; a shared backend only what the tasks and questions it has are about (promise 8)."""
    with parts.database.read() as connection:
        if images.owns_artifact(connection, job.seat, sha256) or placing.may_read(connection, job.nonce, sha256):
            return True
    return parts.looks.asked(job.nonce, sha256)
