"""Photos for tests: the public-domain portrait that scikit-image ships (NASA, Eileen Collins), as people send it."""

from __future__ import annotations

from typing import Any

from PIL import Image
from skimage import data

from tests.frontend_server.pictures import encode


def portrait_image() -> Image.Image:
    """512 × 512, RGB."""
    return Image.fromarray(data.astronaut())


def portrait(kind: str, **options: Any) -> bytes:
    return encode(portrait_image(), kind, **options)


def two_people() -> bytes:
    """Two faces of like size beside each other."""
    one = portrait_image()
    both = Image.new("RGB", (one.width * 2, one.height))
    both.paste(one, (0, 0))
    both.paste(one.transpose(Image.Transpose.FLIP_LEFT_RIGHT), (one.width, 0))
    return encode(both, "PNG")
