"""What a test job's own job asks and tells (cluster-local, /cluster/v1/trial)."""

from __future__ import annotations

from flask import Response, request, send_file
from pydantic import BaseModel, Field

from ligan.intervals import TRIAL_LOG_PART
from ligan.problem import Problem
from ligan.web.app import APIBlueprint, reply
from ligan.wire.base import MOST
from ligan.wire.job import Done
from ligan.wire.trial import LogKept, TrialOrder, TrialResult
from master_daemon.api.artifacts import ArtifactPath
from master_daemon.api.caller import admit, calling_job, check_token, claim
from master_daemon.parts import Parts


class At(BaseModel):
    offset: int = Field(ge=0, le=MOST)


def trial_jobs_api(parts: Parts) -> APIBlueprint:
    """Routes for jobs of the role trial, each with its own token."""
    api = APIBlueprint("trial_jobs", __name__, url_prefix="/cluster/v1/trial")

    @api.get("/order", summary="What the job is to do", responses={"200": TrialOrder})
    def order() -> Response:
        return reply(parts.trials.order(calling_job(parts, "trial")))

    @api.get("/pieces/<sha256>", summary="A piece of its working folder")
    def get_piece(path: ArtifactPath) -> Response:
        file = parts.trials.piece(calling_job(parts, "trial"), path.sha256)
        return send_file(file, mimetype="application/octet-stream")

    @api.put("/pieces/<sha256>", summary="Store a piece of what it sends back", responses={"200": Done})
    def put_piece(path: ArtifactPath) -> Response:
        parts.trials.keep_piece(calling_job(parts, "trial"), path.sha256, request.get_data(), parts.now())
        return reply(Done())

    @api.put("/log", summary="A part of what its command printed", responses={"200": LogKept})
    def log(query: At) -> Response:
        """Told again, it changes nothing."""
        job, data = calling_job(parts, "trial"), request.get_data()
        if len(data) > TRIAL_LOG_PART:
            raise Problem("file-too-large", f"A part of a log has {TRIAL_LOG_PART} bytes at most.")
        return reply(parts.trials.keep_log(job, query.offset, data))

    @api.post("/on-end", summary="Its command has ended", responses={"200": Done})
    def on_end(body: TrialResult) -> Response:
        """Its log and files are here already."""
        claimed = claim()
        check_token(parts, claimed, "trial")
        with parts.database.write() as transaction:
            job = admit(parts, transaction.connection, claimed, "trial")
            parts.trials.report(transaction, job, body, parts.now())
        return reply(Done())

    return api
