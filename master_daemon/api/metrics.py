"""`/metrics` for Prometheus, through the gateway. Without a session or token: it holds counts, and no names."""

from __future__ import annotations

from flask import Blueprint, Response, request

from master_daemon.api.caller import check_gateway
from master_daemon.observe.exposition import expose
from master_daemon.parts import Parts


def metrics_page(parts: Parts) -> Blueprint:
    """GET /metrics, in the text format 0.0.4 or as OpenMetrics."""
    page = Blueprint("metrics", __name__)

    @page.get("/metrics")
    def metrics() -> Response:
        check_gateway(parts)
        body, content_type = expose(parts, request.headers.get("Accept", ""))
        return Response(body, content_type=content_type, headers={"Cache-Control": "no-store"})

    return page
