"""Weights for backends whose node does not have them (cluster-local, /cluster/v1)."""

from __future__ import annotations

from flask import Response, send_file

from ligan.problem import Problem
from ligan.web.app import APIBlueprint
from master_daemon.api.artifacts import ArtifactPath
from master_daemon.api.caller import calling_backend
from master_daemon.parts import Parts


def weights_api(parts: Parts) -> APIBlueprint:
    """Routes for backends, each with its own token."""
    api = APIBlueprint("weights", __name__, url_prefix="/cluster/v1")

    @api.get("/weights/<sha256>", summary="A file of the engine's weights")
    def get_weights(path: ArtifactPath) -> Response:
        """The bootstrap document says which files there are."""
        calling_backend(parts)
        file = parts.launcher.weights.find(path.sha256)
        if file is None:
            raise Problem("not-found", "The daemon's weights have changed; the next backend is told of the new ones.")
        return send_file(file, mimetype="application/octet-stream")

    return api
