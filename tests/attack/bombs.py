"""Files that look like photos and are meant to fill a server's memory, stop it, or carry more than a picture."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable, Iterator
from functools import cache

import numpy as np
from PIL import Image

from tests.frontend_server.pictures import png_chunk as chunk

MARK = b"<script>alert('attack')</script>"
"""What a polyglot carries; no picture that is kept may hold it."""
_PNG = b"\x89PNG\r\n\x1a\n"


def png(width: int, height: int, *between: bytes, depth: int = 8, colour: int = 2, data: bytes | None = None) -> bytes:
    """A PNG of zeros, whatever its size, with further chunks before its data; `data`: other than that."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0))
    samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    if data is None:
        data = _zeros(height * (1 + (width * samples * depth + 7) // 8))
    palette = chunk(b"PLTE", bytes(768)) if colour == 3 else b""
    return b"".join((_PNG, header, *between, palette, chunk(b"IDAT", data), chunk(b"IEND", b"")))


@cache
def _zeros(size: int) -> bytes:
    """So many zero bytes, deflated, without ever having them."""
    deflate, piece = zlib.compressobj(9), bytes(1 << 20)
    parts = [deflate.compress(piece) for _ in range(size >> 20)]
    return b"".join((*parts, deflate.compress(bytes(size & 0xFFFFF)), deflate.flush()))


def _text_bombs() -> Iterator[tuple[str, bytes]]:
    bomb = _zeros(256 << 20)
    yield "zTXt of 256 MB", png(256, 256, chunk(b"zTXt", b"x\0\0" + bomb))
    yield "iTXt of 256 MB", png(256, 256, chunk(b"iTXt", b"x\0\1\0\0\0" + bomb))
    yield "iCCP of 256 MB", png(256, 256, chunk(b"iCCP", b"x\0\0" + bomb))
    yield "a thousand zTXt", png(256, 256, *[chunk(b"zTXt", b"x\0\0" + _zeros(1 << 20))] * 1000)
    yield "a hundred thousand tEXt", png(256, 256, *[chunk(b"tEXt", b"x\0y")] * 100_000)
    yield "a million frames", png(256, 256, chunk(b"acTL", struct.pack(">II", 1_000_000, 0)), *_frames(20_000))


def _frames(number: int) -> list[bytes]:
    return [chunk(b"fcTL", struct.pack(">IIIIIHHBB", each, 256, 256, 0, 0, 1, 100, 0, 0)) for each in range(number)]


def _sizes() -> Iterator[tuple[str, bytes]]:
    yield "PNG 30000 × 30000", png(30000, 30000, colour=0, depth=1)
    yield "PNG 2³¹ × 2³¹", png(2**31 - 1, 2**31 - 1, data=zlib.compress(b"0"))
    yield "PNG 0 × 0", png(0, 0, data=b"")
    yield "PNG 1 × 50000000", png(1, 50_000_000, colour=0, depth=1)
    yield "PNG 50000000 × 1", png(50_000_000, 1, colour=0, depth=8)
    yield "PNG whose data is too long", png(256, 256, data=_zeros(256 << 20))
    yield "PNG whose data is cut", png(256, 256)[:-30]
    yield (
        "GIF 65535 × 65535",
        b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0\x02\x02L\x01\0;",
    )
    yield "GIF of a hundred thousand frames", _gif(100_000)
    yield (
        "GIF whose frame is larger than it",
        b"GIF89a\x40\0\x40\0\x80\0\0" + bytes(6) + b",\0\0\0\0\xff\xff\xff\xff\0\x02\x02L\x01\0;",
    )
    yield "WebP 16383 × 16383", _webp(16383, 16383)
    yield (
        "BMP 2³¹ × 2³¹",
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 99, 0, 0, 54, 40, 2**31 - 1, 2**31 - 1, 1, 24, 0, 0, 0, 0, 0, 0),
    )
    yield (
        "BMP of runs",
        b"BM"
        + struct.pack("<IHHIIiiHHIIiiII", 99, 0, 0, 1078, 40, 20000, 20000, 1, 8, 1, 9, 0, 0, 256, 0)
        + bytes(1024)
        + b"\xff\0" * 500_000,
    )
    yield "PPM 99999 × 99999", b"P6 99999 99999 255\n" + bytes(1000)
    yield "PPM in words", b"P3 7000 7000 255\n" + b"0 " * 1_000_000
    yield "JPEG 65535 × 65535", _jpeg().replace(b"\x01\x00\x01\x00\x03", b"\xff\xff\xff\xff\x03", 1)
    yield "JPEG cut off", _jpeg()[:700]
    yield "JPEG of scans", _jpeg() + _jpeg()[-400:] * 5000
    yield (
        "JPEG 2000 with huge tiles",
        b"\xff\x4f\xff\x51\x00\x2f\x00\x00"
        + struct.pack(">IIIIIIII", *[2**31 - 1] * 2, 0, 0, *[2**31 - 1] * 2, 0, 0)
        + b"\0\x03"
        + b"\x07\x01\x01" * 3
        + b"\xff\xd9",
    )
    yield "HEIC of nothing", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\xff" * 5000
    yield "AVIF of nothing", b"\0\0\0\x1cftypavif\0\0\0\0avifmif1miaf" + b"\0" * 5000
    yield (
        "HEIC, a box in a box",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"".join(struct.pack(">I4s", 10**6, b"meta") for _ in range(50_000)),
    )


def _gif(frames: int) -> bytes:
    frame = b",\0\0\0\0\x40\0\x40\0\0\x02\x02L\x01\0"
    return b"GIF89a\x40\0\x40\0\x80\0\0" + bytes(6) + frame * frames + b";"


def _webp(width: int, height: int) -> bytes:
    frame = b"\x30\x01\0\x9d\x01\x2a" + struct.pack("<HH", width, height) + bytes(50)
    body = b"WEBPVP8 " + struct.pack("<I", len(frame)) + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


def _jpeg(**options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (256, 256, 3), dtype=np.uint8)).save(
        buffer, "JPEG", **options
    )
    return buffer.getvalue()


def _tiff(entries: list[tuple[int, int, int, int]], further: int = 0) -> bytes:
    """A TIFF or EXIF block of these (tag, type, count, value); `further`: where the next directory is."""
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + body + struct.pack("<I", further)


def _directories() -> Iterator[tuple[str, bytes]]:
    size = [
        (256, 4, 1, 60000),
        (257, 4, 1, 60000),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 4, 1, 60000),
        (279, 4, 1, 9),
    ]
    yield "TIFF 60000 × 60000", _tiff(size)
    yield "TIFF whose directory is its own next", _tiff([(256, 4, 1, 256), (257, 4, 1, 256), *size[2:]], further=8)
    yield "TIFF with 2³² strips", _tiff([*size[:5], (273, 4, 2**32 - 1, 8), (279, 4, 2**32 - 1, 8)])
    yield "TIFF with 2³² samples", _tiff([(256, 4, 1, 256), (257, 4, 1, 256), (258, 3, 2**32 - 1, 8), *size[3:]])
    for what, block in (
        ("points at itself", _tiff([(34665, 4, 1, 8), (40965, 4, 1, 8), (34853, 4, 1, 8)], further=8)),
        ("of 2³² bytes", _tiff([(37500, 7, 2**32 - 1, 8), (274, 3, 1, 6)])),
        ("turns in an odd way", _tiff([(274, 3, 1, 65535)])),
        ("turns by text", _tiff([(274, 2, 4, 0x41414141)])),
        ("of 65535 entries", _tiff([(number, 4, 2**30, 8) for number in range(5000)])),
    ):
        yield f"EXIF that {what}", _jpeg(exif=b"Exif\0\0" + block)


def _carriers() -> Iterator[tuple[str, bytes]]:
    yield "PNG with a script behind it", png(256, 256) + MARK
    yield "PNG with a script in its text", png(256, 256, chunk(b"tEXt", b"Comment\0" + MARK))
    yield "JPEG with a script in its comment", _jpeg(comment=MARK)
    yield "JPEG with a place in its EXIF", _jpeg(exif=b"Exif\0\0" + _tiff([(270, 2, 4, 0x41414141)]) + MARK)
    yield "GIF that is a script", b"GIF89a/*" + bytes(60) + b"*/=1;" + MARK
    yield "ZIP behind a PNG", png(256, 256) + b"PK\x03\x04" + MARK
    yield "SVG", b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"><image href="file:///etc/passwd"/></svg>'
    yield "SVG with entities", b'<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><svg>&b;</svg>'
    yield "HTML", b"<!doctype html>" + MARK
    yield "PDF", b"%PDF-1.7\n" + MARK
    yield "EPS", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n(%pipe%id) (r) file\n"
    yield "a pickle", b"\x80\x04\x95" + bytes(50)
    yield "no byte", b""
    yield "one byte", b"\xff"
    yield "zeros", bytes(1 << 20)


def _odd_modes() -> Iterator[tuple[str, bytes]]:
    for depth, colour in ((1, 0), (2, 0), (16, 0), (16, 2), (8, 3), (16, 4), (16, 6), (8, 6), (3, 0), (8, 1), (16, 3)):
        samples = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(colour, 1)
        data = _zeros(300 * (1 + (300 * samples * depth + 7) // 8))
        header = chunk(b"IHDR", struct.pack(">IIBBBBB", 300, 300, depth, colour, 0, 0, 0))
        yield (
            f"PNG of {depth} bits and colour {colour}",
            b"".join((_PNG, header, chunk(b"IDAT", data), chunk(b"IEND", b""))),
        )
    for mode in ("CMYK", "L", "1", "F", "LAB", "YCbCr"):
        buffer = io.BytesIO()
        Image.new(mode, (300, 300)).save(buffer, "TIFF")
        yield f"TIFF in {mode}", buffer.getvalue()


KINDS: tuple[Callable[[], Iterator[tuple[str, bytes]]], ...] = (
    _text_bombs,
    _sizes,
    _directories,
    _carriers,
    _odd_modes,
)


def all_files() -> Iterator[tuple[str, bytes]]:
    """Every file with what it is."""
    for kind in KINDS:
        yield from kind()


def largest() -> list[tuple[str, bytes]]:
    """The largest that are taken: 50 million pixels each, in few bytes."""
    shapes = ((16, 6), (8, 6), (8, 3), (16, 0), (1, 0), (16, 4), (16, 2))
    return [
        (f"PNG 7071 × 7071 of {depth} bits and colour {colour}", png(7071, 7071, depth=depth, colour=colour))
        for depth, colour in shapes
    ]
