"""Where requests of the public port go."""

from __future__ import annotations

import pytest

from ligan.web.http.head import read_request
from master_daemon.tunnel.destination import Destination, destination_of

_PLACES = {
    "GET /": "START",
    "HEAD /": "START",
    "GET /?x": "START",
    "POST /": "FRONTEND",
    "GET //": "FRONTEND",
    "GET /api/v1/events": "EVENTS",
    "POST /api/v1/events": "FRONTEND",
    "GET /api/v1/images/i-1": "IMAGE",
    "DELETE /api/v1/images/i-1": "FRONTEND",
    "GET /api/v1/images/": "FRONTEND",
    "GET /api/v1/images/a/b": "FRONTEND",
    "DELETE /api/v1/session": "OWN",
    "POST /api/v1/start-of-interaction": "OWN",
    "POST /api/v1/tasks": "OWN",
    "GET /api/v1/tasks/t-1": "OWN",
    "GET /api/v1/tasks/kinds": "FRONTEND",
    "GET /api/v1/tasks/kindsx": "OWN",
    "GET /api/v1/tasks/a/b": "FRONTEND",
    "GET /docs": "OWN",
    "GET /docs/../cluster/v1/kinds": "OWN",
    "GET /frontend-api-docs": "OWN",
    "GET /frontend-api-docs/openapi.json": "OWN",
    "GET /frontend-api-docsx": "FRONTEND",
    "GET /metrics": "OPERATOR",
    "GET /operator": "OPERATOR",
    "GET /operator/x": "OPERATOR",
    "GET /operatorx": "FRONTEND",
    "POST /api/v1/admin/jobs": "OPERATOR",
    "GET /login": "LOGIN",
    "POST /login/x": "LOGIN",
    "GET /loginx": "FRONTEND",
    "POST /logout": "LOGIN",
    "POST /api/v1/account/logout": "LOGIN",
    "GET /api/v1/account/tokens": "ACCOUNT",
    "GET /cluster/v1/kinds": "FRONTEND",
    "GET /%6detrics": "FRONTEND",
    "GET /x": "FRONTEND",
}


@pytest.mark.parametrize("request_line", list(_PLACES))
def test_each_goes_to_its_place(request_line: str) -> None:
    head = read_request(f"{request_line} HTTP/1.1\r\nHost: x\r\n\r\n".encode(), "")
    assert destination_of(head) is Destination[_PLACES[request_line]]
