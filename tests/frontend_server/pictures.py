"""Image files made by Pillow, and some that only look like images."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image

RED, GREEN, BLUE, WHITE = (200, 30, 30), (30, 160, 30), (30, 30, 200), (255, 255, 255)
ORIENTATION = 0x0112
# EXIF orientation -> how a camera held that way stores an upright picture (TIFF 6.0, tag 274).
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}


def encode(image: Image.Image, file_format: str, **options: Any) -> bytes:
    """The file of an image."""
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def quarters(width: int = 160, height: int = 120) -> Image.Image:
    """An RGB picture whose four quarters are red, green, blue and white: it shows how it was turned."""
    image = Image.new("RGB", (width, height), WHITE)
    middle = (width // 2, height // 2)
    image.paste(RED, (0, 0, *middle))
    image.paste(GREEN, (middle[0], 0, width, middle[1]))
    image.paste(BLUE, (0, middle[1], middle[0], height))
    return image


def noise(size: int = 96) -> Image.Image:
    """An RGB picture that does not compress away."""
    grey = Image.effect_noise((size, size), 50)
    return Image.merge("RGB", (grey, grey.rotate(90), grey.rotate(180)))


def exif(orientation: int = 1, place: bool = False) -> Image.Exif:
    """EXIF of a phone; with `place` the GPS position of a house."""
    data = Image.Exif()
    data[ORIENTATION] = orientation
    data[0x010F] = "SecretCameraMaker"
    if place:
        data.get_ifd(0x8825).update({1: "N", 2: (51.0, 32.0, 0.0), 3: "E", 4: (9.0, 56.0, 0.0)})
    return data


def png_chunk(kind: bytes, body: bytes) -> bytes:
    """RFC 2083, section 3.2."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_bomb(width: int, height: int) -> bytes:
    """A few bytes that say they are a huge picture."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


def with_png_chunk(png: bytes, kind: bytes, body: bytes) -> bytes:
    """`png` with a chunk after its header."""
    return png[:33] + png_chunk(kind, body) + png[33:]


def samples() -> dict[str, bytes]:
    """A valid file of each kind that people have."""
    picture, first = noise(), quarters(96, 96)
    frames = [picture.convert("P")]
    return {
        "jpeg": encode(picture, "JPEG", exif=exif(6, place=True)),
        "progressive": encode(picture, "JPEG", progressive=True),
        "cmyk": encode(picture.convert("CMYK"), "JPEG"),
        "png": encode(picture, "PNG", exif=exif(6)),
        "palette": encode(picture.convert("P"), "PNG", transparency=3),
        "grey16": encode(Image.new("I;16", (96, 96), 3000), "PNG"),
        "gif": encode(first.convert("P"), "GIF", save_all=True, append_images=frames),
        "webp": encode(picture, "WEBP", exif=exif(6)),
        "animated-webp": encode(first, "WEBP", save_all=True, append_images=[picture], lossless=True),
        "tiff": encode(picture, "TIFF", exif=exif(6)),
        "tiff-deflate": encode(picture, "TIFF", compression="tiff_adobe_deflate"),
        "tiff-jpeg": encode(picture, "TIFF", compression="jpeg"),
        "bmp": encode(picture, "BMP"),
        "ppm": encode(picture, "PPM"),
        "jpeg2000": encode(picture, "JPEG2000"),
        "avif": encode(picture, "AVIF", exif=exif(6)),
    }


def damaged_heic() -> bytes:
    """A HEIF container whose picture is not what it says: AV1 under the name of HEVC."""
    avif = encode(noise(), "AVIF")
    return avif.replace(b"avif", b"heic").replace(b"av01", b"hvc1").replace(b"av1C", b"hvcC")
