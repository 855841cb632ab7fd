"""What operators ask, under /api/v1/admin: through the gateway, with the token of STATE/operator-token."""

from __future__ import annotations

from flask import Response, g
from pydantic import BaseModel, Field

from ligan.ids import Nonce
from ligan.problem import Problem
from ligan.web.app import APIBlueprint, reply
from ligan.wire.admin import AdminJobs, AdminSessions, Drain, DrainOrder, Explanation, Pulled, PulledAll, Status
from ligan.wire.session import JobState
from master_daemon.api.user_caller import check_operator
from master_daemon.observe import drain, tables
from master_daemon.observe.explain import explain
from master_daemon.observe.overview import overview
from master_daemon.parts import Parts
from master_daemon.state import audit, jobs

_SUBJECT = "installation"
_PULLED = "The operator took it out of service."


class OfJob(BaseModel):
    nonce: Nonce


class Newest(BaseModel):
    count: int = Field(tables.SESSIONS, ge=1, le=tables.SESSIONS, description="At most so many")


class Named(BaseModel):
    name: str = Field(max_length=128, description="Session ID or tag, task ID, job ID or its tag")


def admin_api(parts: Parts) -> APIBlueprint:
    """Routes for operators."""
    api = APIBlueprint("admin", __name__, url_prefix="/api/v1/admin")
    api.before_request(lambda: _check(parts))

    @api.get("/status", summary="The whole daemon at a glance", responses={"200": Status})
    def status() -> Response:
        return reply(overview(parts, parts.now()))

    @api.get("/jobs", summary="Every job that has not ended", responses={"200": AdminJobs})
    def live_jobs() -> Response:
        with parts.database.read() as connection:
            return reply(AdminJobs(jobs=tables.live_jobs(connection)))

    @api.get("/sessions", summary="The sessions that were seen last", responses={"200": AdminSessions})
    def sessions(query: Newest) -> Response:
        with parts.database.read() as connection:
            return reply(AdminSessions(sessions=tables.newest_sessions(connection, query.count)))

    @api.get("/explain/<path:name>", summary="Why something waits and what comes next", responses={"200": Explanation})
    def explanation(path: Named) -> Response:
        with parts.database.read() as connection:
            return reply(explain(connection, parts.supervisor.views, path.name, parts.now()))

    @api.post("/drain", summary="Start no backend for new sessions, or do so again", responses={"200": Drain})
    def drain_all(body: DrainOrder) -> Response:
        with parts.database.write() as transaction:
            ordered = drain.order(transaction, body, parts.now())
            action = "drain on" if body.on else "drain off"
            audit.record(transaction, g.actor, action, _SUBJECT, parts.now(), message=ordered.message)
        return reply(ordered)

    @api.post(
        "/jobs/drain", summary="Take every job out of service, each for a successor", responses={"200": PulledAll}
    )
    def drain_jobs() -> Response:
        """Those that have registered, such as jobs of the version before an upgrade; others come up new anyway, and
        test jobs end by themselves.
        """
        with parts.database.read() as connection:
            live = [job for job in jobs.live(connection) if job.role != "trial" and job.host is not None]
        up = [job for job in live if job.state is not JobState.DRAINING]
        return reply(PulledAll(jobs=[Pulled(nonce=job.nonce, what=_pull(parts, job.nonce)) for job in up]))

    @api.post("/jobs/<nonce>/drain", summary="Take one job out of service", responses={"200": Pulled})
    def drain_job(path: OfJob) -> Response:
        """A ready job is handed over to a successor; any other is ended, and who wants one gets the next."""
        return reply(Pulled(nonce=path.nonce, what=_pull(parts, path.nonce)))

    return api


def _pull(parts: Parts, nonce: str) -> str:
    with parts.database.write() as transaction:
        job = jobs.find(transaction.connection, nonce)
        if job is None or not job.live:
            raise Problem("not-found", "No live job has this tag; `ligan jobs` lists them.")
        audit.record(transaction, g.actor, "drain job", nonce, parts.now())
    if job.role == "trial":  # no successor would do its work
        parts.trials.call_off(job, g.actor, parts.now())
        return "It is a test job, and is cancelled."
    if not job.ready:
        parts.supervisor.end(job, _PULLED, parts.now())
        return "It is ended."
    parts.supervisor.relieve(nonce, parts.now())
    return "Its successor is asked for; when that is ready, it ends what it runs and is ended."


def _check(parts: Parts) -> None:
    g.actor = check_operator(parts)
