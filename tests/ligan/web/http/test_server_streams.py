"""What the server sends piece by piece: files and streams."""

from __future__ import annotations

from pathlib import Path

import pytest

from ligan.web.http.route import File, Listener, Route, Stream, Writer
from tests.ligan.stub import wait_until
from tests.ligan.web.http.fed import Fed
from tests.ligan.web.http.running import HEAD, always, running

pytestmark = pytest.mark.usefixtures("each_way")


# ---- files


@pytest.mark.parametrize("size", [0, 1, 1 << 20, 5_000_001])
def test_a_file(tmp_path: Path, size: int) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(number % 251 for number in range(1000)) * (size // 1000) + bytes(size % 1000))
    with running(always(File(path, ((b"content-type", b"image/png"),)))) as ours, ours.call() as page:
        for _ in range(2):
            answer = page.ask(HEAD)
            assert answer.body == path.read_bytes()
            assert answer.headers["content-type"] == "image/png"
        head = page.ask(HEAD.replace(b"GET", b"HEAD"), method="HEAD")
        assert (head.body, head.headers["content-length"]) == (b"", str(size))
        path.unlink()
        assert page.ask(HEAD).status == 404


def test_a_file_that_shrinks_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(64 << 20))
    with running(always(File(path, ()))) as ours, ours.call() as page:
        page.send(HEAD)
        page.line.recv(1000)
        with path.open("wb") as file:
            file.truncate(1)
        assert len(page.rest()) < 64 << 20


# ---- streams


def test_a_stream_goes_on_until_it_ends() -> None:
    fed = Fed()
    with running(always(Stream(((b"content-type", b"text/event-stream"),), fed.opened))) as ours, ours.call() as page:
        page.send(HEAD)
        wait_until(lambda: fed.writer, "the stream")
        fed.on(ours, lambda writer: writer.send(b"second\n"))
        fed.on(ours, lambda writer: writer.end())
        answer = page.answer()
        assert (answer.body, answer.headers["transfer-encoding"]) == (b"first\nsecond\n", "chunked")
        page.send(HEAD)
        wait_until(lambda: ours.server.busy, "the next request on the same connection")
    assert fed.ended.wait(20), "the second one was closed by its caller"


def test_a_stream_to_an_old_caller_has_no_chunks() -> None:
    fed = Fed()
    with running(always(Stream((), fed.opened))) as ours, ours.call() as page:
        page.send(b"GET / HTTP/1.0\r\n\r\n")
        wait_until(lambda: fed.writer, "the stream")
        fed.on(ours, lambda writer: writer.end())
        assert page.rest().endswith(b"\r\n\r\nfirst\n")


def test_a_stream_that_cannot_be_begun_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    def opened(_writer: Writer) -> Listener:
        raise KeyError("secret")

    async def awaited() -> Route:
        return Stream((), opened)

    for route in (always(Stream((), opened)), lambda _head: awaited()):
        with running(route) as ours, ours.call() as page:
            page.send(HEAD)
            assert b"0\r\n\r\n" not in page.rest()
    assert caplog.text.count("a request failed") == 2


def test_who_does_not_read_a_stream_stalls_it_and_then_there_is_room() -> None:
    fed = Fed()
    with running(always(Stream((), fed.opened))) as ours, ours.call() as page:
        page.send(HEAD)
        wait_until(lambda: fed.writer, "the stream")

        def fill(writer: Writer) -> int:
            sent = 0
            while not writer.stalled:
                writer.send(bytes(65536))
                sent += 65536
            return sent

        sent = fed.on(ours, fill)
        assert fed.rooms == 0
        read = 0
        while read < sent:
            read += len(page.line.recv(1 << 20))
        wait_until(lambda: fed.rooms, "room")
        assert fed.on(ours, lambda writer: writer.stalled) is False
