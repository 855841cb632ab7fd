"""Bad input through the whole chain: each gets a problem document that says what to do, and the service goes on."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from ligan.ids import new_id
from ligan.page import Page
from ligan.problem import MEDIA_TYPE, Problem
from ligan.wire.image import FaceState
from ligan.wire.task import TaskState
from tests.frontend_server.pictures import encode, png_bomb
from tests.system.photos import portrait, portrait_image, two_people
from tests.system.running import System


def _noise() -> bytes:
    pixels = np.random.default_rng(0).integers(0, 255, (256, 256, 3), dtype=np.uint8)
    return encode(Image.fromarray(pixels), "PNG")


_REFUSED: dict[str, tuple[Callable[[], bytes], str, int]] = {
    "not an image": (lambda: b"Dear Sir or Madam, " * 50, "not-an-image", 422),
    "truncated": (lambda: portrait("JPEG")[:9000], "not-an-image", 422),
    "empty": (lambda: b"", "empty-file", 422),
    "60 MB": (lambda: bytes(60 * 1024 * 1024), "file-too-large", 413),
    "bomb": (lambda: png_bomb(60_000, 60_000), "image-too-large", 422),
    "tiny": (lambda: encode(Image.new("RGB", (20, 20)), "PNG"), "image-too-small", 422),
    "damaged HEIC": (lambda: b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(500), "not-an-image", 422),
    "no face": (_noise, "no-face", 422),
    "several faces": (two_people, "several-faces", 422),
}


@pytest.mark.parametrize("what", list(_REFUSED))
def test_refused_uploads(ready_page: Page, what: str) -> None:
    make, slug, status = _REFUSED[what]
    with pytest.raises(Problem) as caught:
        ready_page.upload(make())
    assert (caught.value.slug, caught.value.status) == (slug, status)
    assert len(caught.value.document.detail) > 20
    assert ready_page.upload(portrait("JPEG")).face.state is FaceState.FOUND


_TAKEN: dict[str, Callable[[], bytes]] = {
    "PNG": lambda: portrait("PNG"),
    "WebP": lambda: portrait("WEBP"),
    "CMYK": lambda: encode(portrait_image().convert("CMYK"), "JPEG"),
    "16-bit": lambda: encode(_sixteen_bit(), "PNG"),
    "animated": lambda: portrait("GIF", save_all=True, append_images=[portrait_image().rotate(180)]),
    "transparent": lambda: encode(portrait_image().convert("RGBA"), "PNG"),
    "EXIF-rotated": lambda: encode(portrait_image().rotate(90), "JPEG", exif=_orientation(6)),
}


def _sixteen_bit() -> Image.Image:
    grey = np.asarray(portrait_image().convert("L")).astype(np.uint16) * 257
    return Image.fromarray(grey)


def _orientation(value: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = value
    return exif


@pytest.mark.parametrize("what", list(_TAKEN))
def test_unusual_photos_are_taken(ready_page: Page, what: str) -> None:
    upload = ready_page.upload(_TAKEN[what]())
    assert upload.face.state is FaceState.FOUND
    task = ready_page.wait_task(ready_page.submit("similar", image=upload.image_id, count=1))
    assert task.state is TaskState.DONE


def test_one_of_several_faces_can_be_chosen(ready_page: Page) -> None:
    photo = two_people()
    with pytest.raises(Problem) as caught:
        ready_page.upload(photo)
    faces = (caught.value.document.model_extra or {})["faces"]
    assert {key: (caught.value.document.model_extra or {})[key] for key in ("width", "height")} == {
        "width": 1024,
        "height": 512,
    }
    assert [face["left"] for face in faces] == sorted(face["left"] for face in faces)
    upload = ready_page.upload(photo, face=2)
    assert upload.face.box is not None
    assert upload.face.box.left == faces[1]["left"]
    with pytest.raises(Problem):
        ready_page.upload(photo, face=3)


def test_a_face_that_is_missing_is_told_by_the_task_when_nobody_could_look_before(page: Page) -> None:
    upload = page.upload(_noise())
    assert upload.face.state is FaceState.PENDING
    page.start()
    task = page.wait_task(page.submit("similar", image=upload.image_id))
    assert task.state is TaskState.FAILED
    assert task.error is not None
    assert task.error.slug == "no-face"


def test_a_path_in_the_file_name_is_only_a_name(ready_page: Page) -> None:
    upload = ready_page.upload(portrait("JPEG"), name="../../../../etc/passwd")
    assert upload.image_id.startswith("i-")


def test_images_of_nobody_and_of_others(ready_page: Page, page: Page) -> None:
    mine = ready_page.upload(portrait("JPEG")).image_id
    for image in (new_id("i"), mine):
        page.start()
        with pytest.raises(Problem, match="unknown-image"):
            page.submit("similar", image=image)
        with pytest.raises(Problem, match="unknown-image"):
            page.image(image)


_WRONG: dict[str, dict[str, object]] = {
    "text for a number": {"kind": "random", "params": {"count": "16"}},
    "whole fraction": {"kind": "random", "params": {"count": 2.0}},
    "fraction": {"kind": "random", "params": {"count": 1.5}},
    "truth for a number": {"kind": "random", "params": {"count": True}},
    "too many": {"kind": "random", "params": {"count": 100000}},
    "negative": {"kind": "random", "params": {"count": -1}},
    "null": {"kind": "random", "params": {"count": None}},
    "unknown parameter": {"kind": "random", "params": {"colour": "red"}},
    "missing image": {"kind": "similar", "params": {}},
    "path as image": {"kind": "similar", "params": {"image": "../../etc/passwd"}},
    "number as image": {"kind": "similar", "params": {"image": 7}},
    "params is a list": {"kind": "random", "params": []},
    "no kind": {"params": {}},
    "further member": {"kind": "random", "params": {}, "session_id": "s-" + "0" * 22},
}


@pytest.mark.parametrize("what", list(_WRONG))
def test_wrong_parameters(ready_page: Page, what: str) -> None:
    answer = ready_page.http.post(ready_page.url + "/api/v1/tasks", json=_WRONG[what], timeout=20)
    assert answer.status_code == 422
    assert answer.headers["Content-Type"] == MEDIA_TYPE
    document = answer.json()
    assert document["type"] == "urn:ligan:problem:invalid-parameters"
    assert document["errors"][0]["where"]


def test_unknown_kind_lists_the_valid_ones(ready_page: Page) -> None:
    with pytest.raises(Problem) as caught:
        ready_page.submit("beautify")
    assert caught.value.slug == "unknown-task-kind"
    assert "similar" in caught.value.document.detail


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"kind":', b"[" * 5000, b"\xff\xfe"])
def test_bodies_that_are_not_json(ready_page: Page, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    answer = ready_page.http.post(ready_page.url + "/api/v1/tasks", data=body, headers=headers, timeout=20)
    assert answer.status_code in (400, 422)
    assert answer.headers["Content-Type"] == MEDIA_TYPE


def test_a_deleted_cookie_is_answered_with_a_way_back(system: System) -> None:
    page = Page(system.url)
    page.http.cookies.clear()
    with pytest.raises(Problem, match="no-session"):
        page.session()


def test_nothing_was_lost_on_the_way(ready_page: Page) -> None:
    """After all of the above the same backend still works."""
    task = ready_page.wait_task(ready_page.submit("random", count=2))
    assert task.state is TaskState.DONE
    assert task.result is not None
    sizes = [Image.open(io.BytesIO(ready_page.image(image.image_id))).size for image in task.result.images]
    assert sizes == [(128, 128)] * 2
