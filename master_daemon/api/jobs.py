"""Developers' test jobs (/api/v1/jobs), through the gateway, which itself serves `jobs/ID/events`."""

from __future__ import annotations

from flask import Response, request
from pydantic import BaseModel, Field

from ligan.ids import TrialId
from ligan.web.app import APIBlueprint, reply
from ligan.wire.job import Done
from ligan.wire.trial import NewTrial, Trial, TrialLimits, Trials
from master_daemon.api.artifacts import ArtifactPath
from master_daemon.api.developer import developer
from master_daemon.parts import Parts


class TrialPath(BaseModel):
    trial_id: TrialId


class Everybodys(BaseModel):
    everybody: bool = Field(False, description="Operators: those of all users")


def jobs_api(parts: Parts) -> APIBlueprint:
    """Routes for developers."""
    api = APIBlueprint("jobs", __name__, url_prefix="/api/v1")

    @api.put("/jobs/pieces/<sha256>", summary="Store a piece of a working folder", responses={"200": Done})
    def put_piece(path: ArtifactPath) -> Response:
        """At most 8 MiB each. A piece is kept for a day for the next test job with nearly the same folder."""
        parts.trials.put_piece(developer(parts), path.sha256, request.get_data(), parts.now())
        return reply(Done())

    @api.post("/jobs", summary="Submit a test job", responses={"202": Trial})
    def submit(body: NewTrial) -> Response:
        """A command that runs once, in a job of its own. It is stored when this is answered, and goes on whatever
        becomes of the daemon. Where pieces of the folder are missing, the problem `pieces-missing` lists them.
        """
        return reply(parts.trials.submit(developer(parts), body, parts.now()), 202)

    @api.get("/jobs", summary="Your newest test jobs, the newest first", responses={"200": Trials})
    def every(query: Everybodys) -> Response:
        return reply(Trials(trials=parts.trials.all(developer(parts), query.everybody, parts.now())))

    @api.get("/jobs/limits", summary="What a test job may ask for", responses={"200": TrialLimits})
    def limits() -> Response:
        developer(parts)
        return reply(parts.trials.limits())

    @api.get("/jobs/<trial_id>", summary="One test job", responses={"200": Trial})
    def one(path: TrialPath) -> Response:
        return reply(parts.trials.look(developer(parts), path.trial_id, parts.now()))

    @api.delete("/jobs/<trial_id>", summary="Cancel a test job", responses={"202": Trial})
    def cancel(path: TrialPath) -> Response:
        """Its command is told to end (SIGTERM); what it printed and left comes back as at any end."""
        return reply(parts.trials.cancel(developer(parts), path.trial_id, parts.now()), 202)

    return api
