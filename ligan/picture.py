"""Image files of any kind people have, decoded within bounds: what uploads and data sets are read with."""

from __future__ import annotations

import struct
import warnings
import zlib
from functools import cache
from typing import IO

from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from ligan.problem import Problem

MAX_PIXELS = 50_000_000
"""Width × height that is decoded; today's phones make 12 to 50 million. A decompression bomb has billions."""
_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "AVIF")
_HEIF_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1", b"avif")
_DAMAGE = (
    *(OSError, ValueError, SyntaxError, EOFError, RuntimeError),
    *(TypeError, LookupError, ArithmeticError, MemoryError, struct.error, zlib.error),
)
"""What Pillow's decoders and its EXIF reader let through when a file is damaged, or says that it is immensely large."""
_ADVICE = "Use a photo saved as JPEG, PNG, WebP, TIFF, BMP, GIF or HEIC."


def open_picture(file: IO[bytes]) -> ImageFile.ImageFile:
    """The head of an image file that is not too large to decode. Raises Problem: not-an-image, image-too-large."""
    image = _opened(file)
    if image.width * image.height > MAX_PIXELS:
        raise _too_many_pixels(f" The image has {image.width} × {image.height}.")
    return image


def _opened(file: IO[bytes]) -> ImageFile.ImageFile:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow's bomb warning: our own limit is checked next
            return Image.open(file, formats=_formats(file))  # reads the head only
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except (UnidentifiedImageError, *_DAMAGE) as error:
        raise Problem("not-an-image", f"The file is not an image, or a damaged one. {_ADVICE}") from error


def _formats(file: IO[bytes]) -> tuple[str, ...]:
    """Pillow's names of the formats to try; it knows HEIF only once that is registered."""
    head = file.read(32)
    file.seek(0)
    if head[4:8] == b"ftyp" and head[8:12] in _HEIF_BRANDS:
        _register_heif()
        return (*_FORMATS, "HEIF")
    return _FORMATS


@cache
def _register_heif() -> None:
    # On first need: the library takes 8 MB of memory, and most people send JPEG.
    from pi_heif import register_heif_opener

    register_heif_opener()


def _too_many_pixels(detail: str = "") -> Problem:
    return Problem("image-too-large", f"At most 50 million pixels are taken; make the photo smaller.{detail}")


def upright(image: ImageFile.ImageFile, longest: int) -> Image.Image:
    """The first frame in 8-bit RGB, turned as its EXIF says, scaled to `longest` pixels at most.

    Raises Problem: not-an-image.
    """
    try:
        image.draft("RGB", (longest, longest))  # JPEG: decode at half or a quarter, for memory's sake
        image.seek(0)
        image.load()
        small = _scaled(image, longest)
        return _rgb(ImageOps.exif_transpose(small))
    except (Image.DecompressionBombError, *_DAMAGE) as error:
        raise Problem("not-an-image", f"The image is damaged or cut off; send it again. {_ADVICE}") from error


def _scaled(image: Image.Image, longest: int) -> Image.Image:
    ratio = longest / max(image.size)
    if ratio >= 1:
        return image
    size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
    base = image if image.mode in ("RGB", "RGBA", "L", "CMYK", "I", "F") else image.convert(_mode_to_scale(image.mode))
    small = base.resize(size, Image.Resampling.BOX if base.mode in ("I", "F") else Image.Resampling.LANCZOS)
    small.info = image.info
    return small


def _mode_to_scale(mode: str) -> str:
    return "I" if mode.startswith("I;") else "RGBA"


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _eight_bit(image).convert("RGB")
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        flat = Image.new("RGBA", image.size, "white")
        flat.alpha_composite(image.convert("RGBA"))
        return flat.convert("RGB")
    return image.convert("RGB")


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit and float grey levels as 8 bits; Pillow alone would cut everything above 255 off to white."""
    wide = image.convert("F")
    highest = max(float(wide.getextrema()[1]), 1.0)  # type: ignore[arg-type]  # one band: a number, not a pair
    top = 65535.0 if image.mode.startswith("I") and highest > 255 else highest
    return wide.point(lambda value: value * (255.0 / top)).convert("L")
