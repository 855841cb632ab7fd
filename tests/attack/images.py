"""Uploads that are meant to fill the memory, stop the server, or be served to others as something else."""

from __future__ import annotations

import io
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import requests
from PIL import Image

from ligan.problem import MEDIA_TYPE
from tests.attack import bombs
from tests.attack.count import Count
from tests.attack.family import family
from tests.attack.house import House
from tests.attack.prey import photo
from tests.attack.wire import request
from tests.master_daemon.accounts.person import Person

MOST_BYTES = 1536 << 20
"""Of the frontend's memory, whatever is uploaded, and by how many at once."""
_DAEMON_BYTES = 400 << 20
_AT_ONCE = 16
_SIDE = 2048


@family()
def images(house: House, count: Count) -> None:
    """decompression bombs, huge sizes, loops, cut files, polyglots, odd modes, 100 MB; many at once; the memory"""
    house.prey("alice", images=False)
    frontend, daemon = house.servers("frontend_server")[0], psutil.Process(house.daemon.pid)
    for process in (frontend, daemon):
        _forget_peak(process)
    alice = house.people["alice"]
    for what, file in bombs.all_files():
        _judge(count, what, alice, _upload(alice, file))
    _together(house, count, alice)
    _forms(house, count, alice)
    for process, most in ((frontend, MOST_BYTES), (daemon, _DAEMON_BYTES)):
        peak = _peak(process)
        count.attack(f"memory of {process.cmdline()[-1]}", peak > most and f"{peak >> 20} MB")
    _judge(count, "an honest photo afterwards", alice, taken := _upload(alice, photo()))
    count.attack("it is taken", taken.status_code != 201 and taken.text)


def _upload(person: Person, file: bytes, name: str = "photo.png") -> requests.Response:
    return person.http.post(
        f"{person.url}/api/v1/uploads", files={"file": (name, file)}, headers=person.origin, timeout=120
    )


def _judge(count: Count, what: str, person: Person, answer: requests.Response) -> None:
    """Refused with a problem document, or kept as a plain small PNG that holds nothing of the file but its pixels."""
    if answer.status_code != 201:
        told = answer.headers["Content-Type"] == MEDIA_TYPE and len(answer.json()["detail"]) > 10
        count.answered(
            what, answer.status_code, answer.headers, not told and f"no problem document: {answer.text[:200]}"
        )
        return
    kept = person.api("GET", f"/images/{answer.json()['image_id']}")
    picture = Image.open(io.BytesIO(kept.content))
    plain = picture.format == "PNG" and picture.mode == "RGB" and max(picture.size) <= _SIDE and not picture.info
    served = (kept.headers["Content-Type"], kept.headers["X-Content-Type-Options"]) == ("image/png", "nosniff")
    bad = bombs.MARK in kept.content or not plain or not served
    count.answered(what, kept.status_code, kept.headers, bad and f"{picture.format} {picture.mode} {picture.info}")


def _together(house: House, count: Count, alice: Person) -> None:
    """The worst that is taken, many times at once."""
    lock = threading.Lock()

    def send(what: str, file: bytes) -> None:
        answer = requests.post(
            f"{house.url}/api/v1/uploads",
            files={"file": ("photo.png", file)},
            headers={**alice.origin, "Cookie": f"ligan_session={alice.cookie}"},
            timeout=300,
        )
        with lock:
            _judge(count, f"{what}, {_AT_ONCE} at once", alice, answer)

    worst = bombs.largest()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for what, file in itertools.islice(itertools.cycle(worst), house.many(8) + len(worst)):
            pool.submit(send, what, file)


def _forms(house: House, count: Count, alice: Person) -> None:
    """Forms that are too large, or none."""
    _judge(count, "100 MB", alice, _upload(alice, bytes(100 << 20)))
    proof = {**alice.origin, "Cookie": f"ligan_session={alice.cookie}"}
    field = b'--x\r\nContent-Disposition: form-data; name="%b"%b\r\n\r\n%b\r\n'
    file = b'; filename="a.png"'
    for what, body in {
        "ten thousand fields": b"".join(field % (b"f%d" % number, b"", b"x") for number in range(10_000)),
        "a hundred files": (field % (b"file", file, photo()[:50_000])) * 100,
        "no end": field % (b"file", file, photo()),
        "a header of 1 MB": b"--x\r\nX: " + b"y" * (1 << 20) + b"\r\n\r\n",
        "no name": field % (b"", file, photo()) + b"--x--\r\n",
        "text for a file": field % (b"file", b"", photo()) + b"--x--\r\n",
        "face of nobody": field % (b"face", b"", b"NaN") + field % (b"file", file, photo()) + b"--x--\r\n",
        "nothing": b"",
        "only dashes": b"--x" * 100_000,
    }.items():
        for kind in (
            "multipart/form-data; boundary=x",
            "multipart/form-data",
            "multipart/form-data; boundary=" + "x" * 5000,
            "application/json",
            "image/png",
        ):
            answer = request(house.public, "POST", "/api/v1/uploads", {**proof, "Content-Type": kind}, body)
            odd = 0 < answer.status < 300 and "no end" not in what
            count.answered(f"{what} as {kind[:40]}", answer.status, answer.headers, odd and answer.text[:200])


def _forget_peak(process: psutil.Process) -> None:
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")  # proc(5): resets VmHWM


def _peak(process: psutil.Process) -> int:
    """Bytes of memory that it had at most."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) << 10
