"""What test jobs print and send back (/api/v1/jobs/ID), through the gateway, which itself serves `events`."""

from __future__ import annotations

from flask import Response, stream_with_context
from pydantic import BaseModel, Field

from ligan.web.app import APIBlueprint, reply
from ligan.wire.base import MOST
from ligan.wire.trial import RelativePath, TrialFiles
from master_daemon.api.developer import developer
from master_daemon.api.jobs import TrialPath
from master_daemon.parts import Parts

_MOST = 1024 * 1024
_TEXT = {"description": "The log's bytes", "content": {"text/plain": {"schema": {"type": "string"}}}}
_BYTES = {
    "description": "The file",
    "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
}
_SAFE = {"Content-Disposition": "attachment", "X-Content-Type-Options": "nosniff"}
"""What a command wrote is shown by no browser as a page of ours."""


class FilePath(TrialPath):
    path: RelativePath


class LogRange(BaseModel):
    offset: int = Field(0, ge=0, le=MOST, description="First byte")
    most: int = Field(_MOST, ge=1, le=_MOST, description="Bytes at most")


def job_results_api(parts: Parts) -> APIBlueprint:
    """Routes for developers."""
    api = APIBlueprint("job_results", __name__, url_prefix="/api/v1")

    @api.get("/jobs/<trial_id>/logs", summary="What a test job printed", responses={"200": _TEXT})
    def logs(path: TrialPath, query: LogRange) -> Response:
        """From a byte on. `jobs/ID/events` follows it live."""
        found = parts.trials.log(developer(parts), path.trial_id, query.offset, query.most)
        return Response(found, mimetype="text/plain", headers=_SAFE)

    @api.get("/jobs/<trial_id>/artifacts", summary="What a test job sent back", responses={"200": TrialFiles})
    def files(path: TrialPath) -> Response:
        result = parts.trials.files(developer(parts), path.trial_id)
        return reply(TrialFiles(files=result.files, left_out=result.left_out) if result else TrialFiles(files=[]))

    @api.get("/jobs/<trial_id>/artifacts/<path:path>", summary="A file of these", responses={"200": _BYTES})
    def file(path: FilePath) -> Response:
        found, content = parts.trials.content(developer(parts), path.trial_id, path.path)
        headers = {**_SAFE, "Content-Length": str(found.size)}
        return Response(stream_with_context(content), mimetype="application/octet-stream", headers=headers)

    return api
