"""What the frontend server asks: kinds of tasks, and to take in a session's photo (cluster-local, /cluster/v1)."""

from __future__ import annotations

from flask import Response

from ligan.problem import Problem
from ligan.web.app import APIBlueprint, reply
from ligan.wire.image import Face, FaceState, Look, NewImage, Origin, Upload
from ligan.wire.task import TaskKinds
from master_daemon.api.asked import Asked, respond
from master_daemon.api.caller import Claim, admit_frontend, calling_frontend, claim, frontend_id
from master_daemon.parts import Parts
from master_daemon.state import images, jobs, sessions
from master_daemon.state.jobs import Job
from master_daemon.supervisor import seats


def frontend_api(parts: Parts) -> APIBlueprint:
    """Routes for the frontend, with its token and frontend ID."""
    api = APIBlueprint("frontend", __name__, url_prefix="/cluster/v1")

    @api.get("/kinds", summary="The kinds of tasks", responses={"200": TaskKinds})
    def kinds() -> Response:
        calling_frontend(parts)
        return reply(parts.descriptions.kinds)

    @api.post("/images", summary="An uploaded photo, whose bytes are an artifact already", responses={"201": Upload})
    def new_image(body: NewImage) -> Response:
        return respond(taken(parts, claim(), frontend_id(), body))

    return api


def taken(parts: Parts, claimed: Claim, frontend_id: str, new: NewImage) -> Asked:
    """A photo of a session, admitted for the frontend that claims to be it. It waits for the backend's look."""
    admit_frontend(parts, claimed, frontend_id)
    return Asked(_admit(parts, new), 201)


def _admit(parts: Parts, new: NewImage) -> Upload:
    """Take the image in, and let the session's backend look for the face when it is ready to."""
    if not parts.artifacts.has(new.sha256):
        raise Problem("malformed-request", "Send the artifact first.")
    with parts.database.write() as transaction:
        key = sessions.key_of(transaction.connection, new.session_id)
        size = (new.width, new.height)
        image_id = images.add(transaction, key, new.sha256, size, Origin.UPLOAD, parts.now(), new.face)
    try:
        face = _look(parts, key, new)
    except Problem:
        with parts.database.write() as transaction:
            images.remove(transaction, image_id)
        raise
    return Upload(image_id=image_id, width=new.width, height=new.height, face=face)


def _look(parts: Parts, key: str, new: NewImage) -> Face:
    job = _looker(parts, key)
    if job is None:
        return Face(state=FaceState.PENDING)
    try:
        with parts.looks.asking(job.nonce, new.sha256):
            return parts.lines.to(job).post("/faces", Look(sha256=new.sha256, face=new.face), Face)
    except Problem as problem:
        if problem.slug in ("unreachable", "backend-not-ready"):
            return Face(state=FaceState.PENDING)
        raise


def _looker(parts: Parts, key: str) -> Job | None:
    """A ready backend for the session: its own or the pool's, else one on a cpu node; of those the least busy one."""
    with parts.database.read() as connection:
        pool = parts.settings.backend.mode == "pool"
        own = jobs.ready_with(connection, seats.POOL) if pool else _ready(jobs.current(connection, key))
        able = own or jobs.ready_with(connection, seats.CPU)
    return min(able, key=lambda job: parts.looks.busy(job.nonce), default=None)


def _ready(job: Job | None) -> list[Job]:
    return [job] if job is not None and job.ready else []
