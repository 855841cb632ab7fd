"""The manager over a server that stands in for slurmrestd, on a Unix socket and on TCP."""

from __future__ import annotations

import base64
import getpass
import json
import socketserver
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from ligan.cluster_settings import RestSettings
from ligan.settings import SettingsError
from master_daemon.cluster.factory import rest_client
from master_daemon.cluster.manager import SubmitUnknownError
from master_daemon.cluster.rest_client import NoAnswerError, RestClient, user_of
from master_daemon.cluster.site import SlurmSite
from master_daemon.cluster.slurm_rest import SlurmRestManager
from tests.master_daemon.cluster.jobs import request
from tests.master_daemon.cluster.test_rest_answers import NOW, job


class Slurmrestd(BaseHTTPRequestHandler):
    """Says what the test put into `said`, by method and path, and notes what it was asked."""

    said: dict[str, tuple[int, Any]]
    asked: list[tuple[str, Mapping[str, str], Any]]

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        what = f"{self.command} {self.path}"
        self.asked.append((what, dict(self.headers), json.loads(body or b"null")))
        status, said = self.said.get(what, (404, None))
        content = b"Unable find requested URL." if said is None else json.dumps({"errors": [], **said}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - the base class looks for these names

    def address_string(self) -> str:
        return "a client"

    def log_message(self, *arguments: object) -> None:
        """Not on the tests' output."""


@pytest.fixture
def handler() -> type[Slurmrestd]:
    said = {
        "GET /openapi/v3": (200, {"paths": {"/slurm/v0.0.38/job/submit": {}}}),
        "GET /slurm/v0.0.38/jobs": (200, {"jobs": []}),
    }
    return type("OfThisTest", (Slurmrestd,), {"said": said, "asked": []})


@pytest.fixture
def socket(handler: type[Slurmrestd], tmp_path: Path) -> Iterator[str]:
    path = str(tmp_path / "socket")
    with socketserver.ThreadingUnixStreamServer(path, handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        yield f"unix:{path}"
        server.shutdown()


@pytest.fixture
def slurm(socket: str, tmp_path: Path) -> SlurmRestManager:
    return SlurmRestManager(SlurmSite(tmp_path, {"backend": "gpu"}), RestClient(socket), clock=lambda: NOW)


def test_the_script_has_the_document_and_no_field_has_it(slurm: SlurmRestManager, handler: type[Slurmrestd]) -> None:
    handler.said["POST /slurm/v0.0.38/job/submit"] = (200, {"job_id": 7})
    assert slurm.submit(request(stdin="s3cret")) == "7"
    what, _, sent = handler.asked[-1]
    assert what == "POST /slurm/v0.0.38/job/submit"
    assert "s3cret" in sent["script"]
    assert "s3cret" not in json.dumps(sent["job"])
    assert sent["job"]["environment"]["SLURM_UMASK"] == "0077"


def test_one_request_lists_all_jobs_once_the_version_is_known(
    slurm: SlurmRestManager, handler: type[Slurmrestd]
) -> None:
    for _ in range(3):
        assert slurm.listing() == {}
    assert [what for what, _, _ in handler.asked] == ["GET /openapi/v3", *["GET /slurm/v0.0.38/jobs"] * 3]


def test_an_upgraded_slurmrestd_is_asked_for_its_versions_again(
    slurm: SlurmRestManager, handler: type[Slurmrestd]
) -> None:
    assert slurm.listing() == {}
    del handler.said["GET /slurm/v0.0.38/jobs"]
    handler.said["GET /openapi/v3"] = (200, {"paths": {"/slurm/v0.0.41/job/submit": {}}})
    handler.said["GET /slurm/v0.0.41/jobs"] = (200, {"jobs": []})
    assert slurm.listing() is None
    assert slurm.listing() == {}


def test_no_version_in_common_is_said_and_nothing_is_known(slurm: SlurmRestManager, handler: type[Slurmrestd]) -> None:
    handler.said["GET /openapi/v3"] = handler.said["GET /openapi"] = (200, {"paths": {}})
    assert slurm.listing() is None
    with pytest.raises(SubmitUnknownError, match=r"no version that we can read \(v0.0.42, "):
        slurm.submit(request())


def test_nothing_right_after_live_jobs_is_doubted_once(slurm: SlurmRestManager, handler: type[Slurmrestd]) -> None:
    handler.said["GET /slurm/v0.0.38/jobs"] = (200, {"jobs": [job(user_name=getpass.getuser())]})
    assert set(slurm.listing() or ()) == {"aa"}
    handler.said["GET /slurm/v0.0.38/jobs"] = (200, {"jobs": []})
    assert slurm.listing() is None
    assert slurm.listing() == {}


@pytest.mark.parametrize(
    ("status", "errors", "taken"),
    [
        (200, [], True),
        (500, [{"error_number": 2017, "error": "Invalid job id specified"}], True),
        (500, [{"error_number": 2021, "error": "Job/step already completing or completed"}], True),
        (500, [{"error_number": 2002, "error": "Access/permission denied"}], False),
        (500, [{"error_number": 1800, "error": "Unable to contact slurm controller"}], False),
        (200, [{"error_number": -1, "error": "Unspecified error"}], False),
        (500, [], False),
        (404, None, False),
    ],
)
def test_cancel(
    slurm: SlurmRestManager, handler: type[Slurmrestd], status: int, errors: list[Any] | None, taken: bool
) -> None:
    handler.said["DELETE /slurm/v0.0.38/job/7"] = (status, None if errors is None else {"errors": errors})
    assert slurm.cancel("7") is taken


def test_without_a_slurmrestd_nothing_is_known(tmp_path: Path) -> None:
    slurm = SlurmRestManager(SlurmSite(tmp_path, {"backend": "gpu"}), RestClient(f"unix:{tmp_path}/nobody"))
    assert slurm.listing() is None
    assert slurm.cancel("7") is False
    with pytest.raises(SubmitUnknownError, match="no answer"):
        slurm.submit(request())


# ---- token


def token(**claims: str) -> str:
    def part(value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'HS256'})}.{part(claims)}.c2lnbmF0dXJl"


@pytest.mark.parametrize("text", ["", "x", "a.b.c", "a.bm8.c", token(name="x")])
def test_what_is_no_token_of_slurm_is_said(text: str) -> None:
    with pytest.raises(NoAnswerError, match="holds no token"):
        user_of(text)


def test_over_http_the_token_says_who_we_are_and_a_new_one_counts_at_once(
    handler: type[Slurmrestd], tmp_path: Path
) -> None:
    file = tmp_path / "token"
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}).start()
        client = RestClient(f"http://127.0.0.1:{server.server_address[1]}/", str(file))
        for user in ("faces", "others"):
            file.write_text(f"SLURM_JWT={token(sun=user)}\n")
            assert client.user == user
            client.call("GET", "/openapi/v3")
            headers = handler.asked[-1][1]
            assert (headers["X-SLURM-USER-NAME"], headers["X-SLURM-USER-TOKEN"]) == (user, token(sun=user))
        server.shutdown()


def test_a_token_file_that_is_gone_is_dont_know(tmp_path: Path) -> None:
    client = RestClient("http://127.0.0.1:1", str(tmp_path / "token"))
    with pytest.raises(NoAnswerError, match=r"slurm_rest\.token_file"):
        client.call("GET", "/openapi/v3")


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        (RestSettings(), "slurm_rest.url"),
        (RestSettings(url="localhost:6820"), "slurm_rest.url"),
        (RestSettings(url="http://localhost:6820"), "slurm_rest.token_file"),
    ],
)
def test_settings_that_do_not_say_enough(settings: RestSettings, key: str) -> None:
    with pytest.raises(SettingsError, match=key):
        rest_client(settings)
