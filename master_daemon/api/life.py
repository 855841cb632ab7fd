"""A job's life as it tells it itself: registered, ready, alive (cluster-local, /cluster/v1)."""

from __future__ import annotations

from functools import partial

from flask import Response

from ligan.problem import Problem
from ligan.protocol import misfit
from ligan.web.app import APIBlueprint, reply
from ligan.wire.job import Done, Heartbeat, Ready, Register
from master_daemon.api.asked import Asked, respond
from master_daemon.api.caller import Claim, admit, calling_job, claim
from master_daemon.parts import Parts
from master_daemon.state.jobs import Job
from master_daemon.supervisor import lifecycle


def life_api(parts: Parts) -> APIBlueprint:
    """Routes for jobs, each with its own token."""
    api = APIBlueprint("life", __name__, url_prefix="/cluster/v1")

    @api.post(
        "/register", summary="A job says where it listens; that address is then challenged", responses={"200": Done}
    )
    def register(body: Register) -> Response:
        job = calling_job(parts)
        _refuse_misfit(parts, job, body.protocol)
        parts.lines.challenge(job, body.host, body.port)
        now = parts.now()
        known = partial(
            lifecycle.registered,
            host=body.host,
            port=body.port,
            job_id=body.job_id,
            time_limit_s=parts.launcher.time_limit_s(job) - parts.launcher.early_s(job.role),
            now=now,
            protocol=body.protocol,
        )
        after = parts.supervisor.change(job.nonce, lambda j: _live(known(j), j), now)
        return reply(_welcome(after))

    @api.post("/on-ready", summary="A job can take requests", responses={"200": Done})
    def on_ready(body: Ready) -> Response:
        job = calling_job(parts)
        now = parts.now()
        if job.host is None:
            raise Problem("not-authorised", "Register first: nothing is sent to an address that was not challenged.")
        parts.supervisor.change(job.nonce, lambda j: _live(lifecycle.ready(j, now), j), now)
        return reply(Done())

    @api.post("/heartbeat", summary="A job is alive", responses={"200": Done})
    def heartbeat(body: Heartbeat) -> Response:
        return respond(heard(parts, claim(), body))

    return api


def heard(parts: Parts, claimed: Claim, _beat: Heartbeat) -> Asked:
    """The job lives. Raises Problem `not-authorised`."""
    with parts.database.read() as connection:
        job = admit(parts, connection, claimed)
    parts.supervisor.hearing.hear(job.nonce, parts.now())
    return Asked(Done())


def _refuse_misfit(parts: Parts, job: Job, protocol: int) -> None:
    why, now = misfit(protocol), parts.now()
    if why:
        parts.supervisor.change(job.nonce, lambda j: lifecycle.misfit(j, why, now), now)
        raise Problem("not-authorised", why)


def _welcome(job: Job) -> Done:
    """Not to a second process of the same job; its place in the cluster is given back by the supervisor."""
    if not job.live:
        raise Problem("not-authorised", f"This job has been ended: {job.reason}")
    return Done()


def _live(after: Job, before: Job) -> Job:
    """A job that was ended meanwhile stays ended."""
    if not before.live:
        raise Problem("not-authorised", f"This job has been ended: {before.reason}")
    return after
