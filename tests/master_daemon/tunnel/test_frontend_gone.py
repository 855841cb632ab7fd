"""While there is no frontend, pages are told so."""

from __future__ import annotations

import socket
from dataclasses import replace
from pathlib import Path

import requests

from tests.master_daemon.running import house_in


def test_before_and_after_the_frontend(tmp_path: Path) -> None:
    with house_in(tmp_path) as house:
        answer = requests.get(house.url + "/", headers={"Accept": "text/html"}, timeout=20)
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
        assert "LiGAN is starting" in answer.text
        api = requests.get(house.url + "/api/v1/tasks/kinds", timeout=20)
        assert (api.status_code, api.json()["type"].rsplit(":")[-1]) == (503, "frontend-not-ready")
        assert api.headers["Retry-After"] == "2"
        frontend = house.frontend()
        assert requests.get(house.url + "/", timeout=20).status_code == 200
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        nonce = frontend.bootstrap.nonce
        house.daemon.parts.supervisor.change(nonce, lambda job: replace(job, port=port), house.daemon.parts.now())
        gone = requests.get(house.url + "/x", timeout=20)
        assert gone.status_code == 502
        assert gone.json()["type"].rsplit(":")[-1] == "unreachable"
        assert requests.get(house.url + "/docs", timeout=20).status_code == 200, "its own pages need no frontend"
