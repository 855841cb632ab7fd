"""Uploaded photos made uniform: any format people have becomes an upright RGB PNG, or a problem says what to do."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import IO

from PIL import Image, ImageFile

from ligan.intervals import MAX_UPLOAD
from ligan.picture import open_picture, upright
from ligan.problem import Problem

MAX_SIDE = 2048
"""Longer photos are scaled down to this many pixels: faces are rendered at 128, and every copy travels."""
MIN_SIDE = 64
"""Below this no face can be made out."""
_DECODERS = ThreadPoolExecutor(2, "photo")
"""The largest photos take some 600 MB each, and a thread keeps what it has had: two of them decode for all."""


@dataclass(frozen=True)
class Photo:
    """A uniform photo: PNG bytes, 8-bit RGB, upright, no metadata. Sizes in pixels."""

    png: bytes
    width: int
    height: int


def read_photo(file: IO[bytes]) -> Photo:
    """The first frame of any image file.

    Raises Problem: empty-file, file-too-large, not-an-image, image-too-large, image-too-small.
    """
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if size == 0:
        raise Problem("empty-file", "The file has 0 bytes; save or export the photo again.")
    if size > MAX_UPLOAD:
        raise Problem("file-too-large", "At most 25 MB are taken; save the photo as JPEG or make it smaller.")
    return _DECODERS.submit(_uniform, file).result()


def _uniform(file: IO[bytes]) -> Photo:
    with open_picture(file) as image:
        _check_sides(image)  # before it is decoded too: a line of 50 million pixels takes four times the memory
        upright = _upright(image)
    _check_sides(upright)
    return _as_png(upright)


def _check_sides(image: Image.Image) -> None:
    if min(image.size) < MIN_SIDE:
        size = f"{image.width} × {image.height}"
        raise Problem("image-too-small", f"The image has {size} pixels; each side needs {MIN_SIDE} at least.")


def _upright(image: ImageFile.ImageFile) -> Image.Image:
    return upright(image, MAX_SIDE)


def _as_png(image: Image.Image) -> Photo:
    image.info = {}  # no EXIF, no profile: a photo's place and time are nobody's business
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return Photo(buffer.getvalue(), image.width, image.height)
