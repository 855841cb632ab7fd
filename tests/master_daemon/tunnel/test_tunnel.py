"""The catch-all tunnel: what goes through, what is taken away, and what happens when an end is missing."""

from __future__ import annotations

import hashlib
import http.client
import json
from typing import Any

import pytest
import requests

from ligan.intervals import MAX_BODY
from ligan.problem import MEDIA_TYPE
from tests.master_daemon.running import House, Played


def said(body: bytes) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(body)
    return answer


def slug(body: bytes) -> str:
    return str(said(body)["type"]).rsplit(":", 1)[-1]


@pytest.mark.parametrize(
    "target",
    [
        "/x",
        "//evil.example/x",
        "/a/../b",
        "/a%2Fb/%2e%2e/c?x=%41+1&y=%zz",
        "/;a=b?c&d=%20",
        "/a\\b",
        "/?",
        "/x?y?z",
        "/%C3%A4",
    ],
)
def test_path_and_query_arrive_byte_for_byte(house: House, frontend: Played, target: str) -> None:
    status, _, body = house.raw(f"GET {target} HTTP/1.1")
    assert status == 200
    assert said(body)["target"].rstrip("?") == target.rstrip("?")


@pytest.mark.parametrize(
    "target", ["/docs/../cluster/v1/kinds", "/docs/%2e%2e/cluster/v1/kinds", "/docs/..%2fcluster/v1/kinds"]
)
def test_no_way_round_to_the_cluster_local_api(house: House, frontend: Played, target: str) -> None:
    status, _, body = house.raw(f"GET {target} HTTP/1.1")
    assert (status, slug(body)) == (404, "not-found")


def test_the_cluster_local_api_is_not_on_the_public_port(house: House, frontend: Played) -> None:
    assert said(house.raw("GET /cluster/v1/kinds HTTP/1.1")[2])["target"] == "/cluster/v1/kinds"


@pytest.mark.parametrize("target", ["/x%0d%0aX-Ligan-Session:%20s-1", "/x%0aSet-Cookie:%20a=b"])
def test_line_breaks_in_a_path_break_no_header(house: House, frontend: Played, target: str) -> None:
    status, headers, body = house.raw(f"GET {target} HTTP/1.1")
    assert (status, slug(body)) == (404, "not-found")
    assert "set-cookie" not in headers


@pytest.mark.parametrize(
    "head",
    [
        "CONNECT @evil.example:80 HTTP/1.1",
        "CONNECT evil.example:80 HTTP/1.1",
        "OPTIONS * HTTP/1.1",
        "GET http://evil.example/x?y=1 HTTP/1.1",
        "GET http://127.0.0.1/ HTTP/1.1",
    ],
)
def test_it_is_no_open_proxy(house: House, frontend: Played, head: str) -> None:
    assert house.raw(head)[0] == 404


def test_private_and_hop_by_hop_headers_stay_outside(house: House, frontend: Played) -> None:
    given = b"""X-Ligan-Session: s-1\r\nx-ligan-job: j\r\nX-LIGAN-FRONTEND: f\r\nX-Ligan-Gateway: g\r
Authorization: Bearer mine\r\nCookie: a=b\r\nTE: trailers\r\nUpgrade: h2c\r\nProxy-Authorization: p\r
Connection: x-hop\r\nX-Hop: 1\r\nX-Kept: yes\r\n\r\n"""
    headers = said(house.raw("GET /x HTTP/1.1", given)[2])["headers"]
    token = frontend.bootstrap.token.get_secret_value()
    assert headers["X-Kept"] == "yes"
    assert headers["Authorization"] == f"Bearer {token}"
    assert headers["X-Ligan-Frontend"] == frontend.bootstrap.instance_id
    private = {name for name in headers if name.lower().startswith("x-ligan-")}
    assert private == {"X-Ligan-Frontend"}
    assert not {"Cookie", "Te", "Upgrade", "Proxy-Authorization", "X-Hop"} & set(headers)


def test_private_headers_stay_inside(house: House, browser: requests.Session) -> None:
    answer = browser.get(f"{house.url}/large?size=10")
    assert answer.headers["X-Kept"] == "1"
    assert not [name for name in answer.headers if name.lower().startswith("x-ligan-")]
    assert answer.headers["Server"] == "LiGAN"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]


def test_a_chunked_upload(house: House, browser: requests.Session) -> None:
    blocks = (bytes(65536) for _ in range(40))
    assert browser.post(f"{house.url}/x", data=blocks).json()["length"] == 40 * 65536


def test_head_has_headers_and_no_body(house: House, browser: requests.Session) -> None:
    answer = browser.head(f"{house.url}/cached")
    assert (answer.status_code, answer.headers["ETag"], answer.content) == (200, '"v1"', b"")
    assert answer.headers["Content-Length"] == "4"


def test_not_modified_stays_so(house: House, browser: requests.Session) -> None:
    answer = browser.get(f"{house.url}/cached", headers={"If-None-Match": '"v1"'})
    assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", '"v1"')


def test_a_large_download(house: House, browser: requests.Session) -> None:
    size = 40 * 1024 * 1024
    expected, got = hashlib.sha256(), hashlib.sha256()
    for number in range(size // 65536):
        expected.update(bytes([number % 251]) * 65536)
    with browser.get(f"{house.url}/large?size={size}", stream=True) as answer:
        for block in answer.iter_content(65536):
            got.update(block)
    assert got.digest() == expected.digest()


def test_one_connection_serves_request_after_request(house: House, frontend: Played) -> None:
    line = http.client.HTTPConnection("127.0.0.1", house.daemon.port, timeout=20)
    for number in range(5):
        line.request("POST", f"/x{number}", body=b"y" * number)
        assert said(line.getresponse().read())["length"] == number
    line.close()


def test_sixty_megabytes_are_read_and_refused(house: House, browser: requests.Session) -> None:
    answer = browser.post(f"{house.url}/api/v1/uploads", data=bytes(60 * 1024 * 1024))
    assert (answer.status_code, slug(answer.content)) == (413, "file-too-large")
    assert answer.headers["Content-Type"].startswith(MEDIA_TYPE)


def test_a_chunked_body_over_the_limit(house: House, browser: requests.Session) -> None:
    blocks = (bytes(1 << 20) for _ in range(2 + MAX_BODY // (1 << 20)))
    answer = browser.post(f"{house.url}/x", data=blocks)
    assert (answer.status_code, slug(answer.content)) == (413, "file-too-large")


def test_an_answer_that_breaks_off_is_seen_to(house: House, browser: requests.Session) -> None:
    # A problem document appended to half an answer would pass for its rest.
    line = http.client.HTTPConnection("127.0.0.1", house.daemon.port, timeout=20)
    line.request("GET", "/breaks")
    response = line.getresponse()
    assert response.getheader("Content-Length") == "100000"
    with pytest.raises((http.client.IncompleteRead, ConnectionError)) as raised:
        response.read()
    assert not isinstance(raised.value, http.client.IncompleteRead) or set(raised.value.partial) <= {ord("x")}
    line.close()
