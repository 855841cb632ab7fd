"""Uploaded photos: every format people have comes out upright and bare, everything else is refused in words."""

from __future__ import annotations

import io
import random
import struct
import subprocess
import sys
import threading
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from PIL import Image, ImageFile, features

from frontend_server import photo
from frontend_server.photo import MAX_SIDE, Photo, read_photo
from ligan import picture
from ligan.intervals import MAX_UPLOAD
from ligan.problem import Problem
from tests.frontend_server.pictures import (
    BLUE,
    GREEN,
    RED,
    STORED,
    WHITE,
    damaged_heic,
    encode,
    exif,
    noise,
    png_bomb,
    png_chunk,
    quarters,
    samples,
    with_png_chunk,
)

Colour = tuple[int, ...]


def read(body: bytes) -> Photo:
    return read_photo(io.BytesIO(body))


def decoded(taken: Photo) -> Image.Image:
    image = Image.open(io.BytesIO(taken.png))
    assert (image.format, image.mode) == ("PNG", "RGB")
    assert image.size == (taken.width, taken.height)
    return image


def problem_of(body: bytes) -> Problem:
    with pytest.raises(Problem) as raised:
        read(body)
    return raised.value


def outcome_of(body: bytes) -> str:
    """`taken`, or the problem's slug; any other exception fails the test."""
    try:
        decoded(read(body))
    except Problem as problem:
        return problem.slug
    return "taken"


def colours(image: Image.Image) -> list[Colour]:
    """In the middle of each quarter: top left, top right, bottom left, bottom right."""
    x, y = image.width // 4, image.height // 4
    places = ((x, y), (3 * x, y), (x, 3 * y), (3 * x, 3 * y))
    return [tuple(image.getpixel(place)) for place in places]  # type: ignore[arg-type]  # RGB: a tuple


def near(given: list[Colour], expected: list[Colour], tolerance: int = 12) -> bool:
    pairs = zip(given, expected, strict=True)
    return all(abs(a - b) <= tolerance for one, other in pairs for a, b in zip(one, other, strict=True))


def one_colour(body: bytes) -> Colour:
    return tuple(decoded(read(body)).getpixel((10, 10)))  # type: ignore[arg-type]  # RGB: a tuple


@pytest.mark.parametrize("name", samples())
def test_takes_what_people_have(name: str) -> None:
    if name == "avif" and not features.check("avif"):
        pytest.skip("this Pillow was built without AVIF")
    assert decoded(read(samples()[name])).size == (96, 96)


@pytest.mark.parametrize(
    ("orientation", "file_format", "width"),
    [
        *((orientation, name, 160) for orientation in STORED for name in ("JPEG", "PNG", "TIFF", "WEBP")),
        *((orientation, "JPEG", MAX_SIDE + 952) for orientation in STORED),
        *((6, name, MAX_SIDE + 952) for name in ("PNG", "TIFF", "WEBP")),
    ],
)
def test_turns_the_photo_as_its_exif_says(orientation: int, file_format: str, width: int) -> None:
    upright = quarters(width, width // 2)
    turn = STORED[orientation]
    stored = upright if turn is None else upright.transpose(turn)
    taken = read(encode(stored, file_format, exif=exif(orientation)))
    assert taken.width == min(width, MAX_SIDE)
    assert taken.width == 2 * taken.height
    assert near(colours(decoded(taken)), [RED, GREEN, BLUE, WHITE])


@pytest.mark.parametrize("mode", ["I;16", "I;16B", "I"])
@pytest.mark.parametrize("width", [100, MAX_SIDE + 1000], ids=["small", "scaled"])
def test_sixteen_bit_grey_keeps_its_brightness(mode: str, width: int) -> None:
    # Pillow's own conversion to 8 bits would make everything above 255 white.
    assert one_colour(encode(Image.new(mode, (width, 100), 30000), "TIFF")) == (116, 116, 116)


def test_sixteen_bit_grey_png_keeps_its_brightness() -> None:
    assert one_colour(encode(Image.new("I;16", (100, 100), 30000), "PNG")) == (116, 116, 116)


@pytest.mark.parametrize("width", [100, MAX_SIDE + 1000], ids=["small", "scaled"])
def test_floating_point_grey_is_scaled_to_its_highest_value(width: int) -> None:
    image = Image.new("F", (width, 100), 1.0)
    image.paste(0.5, (0, 0, width // 2, 100))
    assert one_colour(encode(image, "TIFF")) == (127, 127, 127)


def test_sixteen_bit_colour_png() -> None:
    rows = b"".join(b"\0" + struct.pack(">HHH", 0x8000, 0x4000, 0xFFFF) * 80 for _ in range(80))
    header = struct.pack(">IIBBBBB", 80, 80, 16, 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    body = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    assert one_colour(b"\x89PNG\r\n\x1a\n" + body) == (0x80, 0x40, 0xFF)


@pytest.mark.parametrize("size", [(100, 100), (MAX_SIDE + 1000, 100)], ids=["small", "scaled"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_transparent_becomes_white(mode: str, size: tuple[int, int]) -> None:
    assert one_colour(encode(Image.new("RGBA", size, (10, 20, 30, 0)).convert(mode), "PNG")) == WHITE


@pytest.mark.parametrize("size", [(100, 100), (MAX_SIDE + 1000, 100)], ids=["small", "scaled"])
def test_the_transparent_colour_of_a_palette_becomes_white(size: tuple[int, int]) -> None:
    image = Image.new("P", size, 0)
    image.putpalette([9, 9, 9, 0, 255, 0])
    assert one_colour(encode(image, "PNG", transparency=0)) == WHITE


def test_half_transparent_is_mixed_with_white() -> None:
    assert near([one_colour(encode(Image.new("RGBA", (100, 100), (0, 0, 0, 128)), "PNG"))], [(127, 127, 127)], 1)


def test_cmyk_jpeg_keeps_its_colours() -> None:
    assert near(colours(decoded(read(encode(quarters().convert("CMYK"), "JPEG")))), [RED, GREEN, BLUE, WHITE])


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "TIFF", "PNG"])
def test_the_first_frame_counts(file_format: str) -> None:
    more = [Image.new("RGB", (160, 120), colour) for colour in ((0, 0, 0), (255, 0, 255))]
    options = {"lossless": True} if file_format == "WEBP" else {}
    body = encode(quarters(), file_format, save_all=True, append_images=more, **options)
    assert Image.open(io.BytesIO(body)).n_frames == 3  # type: ignore[attr-defined]  # of a file with frames
    assert near(colours(decoded(read(body))), [RED, GREEN, BLUE, WHITE])


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP"])
def test_place_camera_and_profile_are_gone(file_format: str) -> None:
    body = encode(quarters(), file_format, exif=exif(1, place=True), icc_profile=b"SecretProfile" * 20)
    assert b"SecretCameraMaker" in body
    taken = read(body)
    assert not {b"eXIf", b"tEXt", b"iTXt", b"zTXt", b"iCCP", b"tIME"} & {taken.png[i : i + 4] for i in range(4000)}
    assert dict(decoded(taken).getexif()) == {}
    assert b"Secret" not in taken.png


def test_a_long_photo_is_scaled_to_the_longest_side() -> None:
    taken = read(encode(quarters(6000, 4000), "JPEG"))
    assert (taken.width, taken.height) == (MAX_SIDE, 1365)
    assert near(colours(decoded(taken)), [RED, GREEN, BLUE, WHITE])


@pytest.mark.parametrize(
    ("body", "slug"),
    [
        (b"", "empty-file"),
        (b"\0", "not-an-image"),
        (b"hello world " * 100, "not-an-image"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n<<>>\nendobj\n" * 20, "not-an-image"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n" + b"showpage\n" * 40, "not-an-image"),
        (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="99" height="99"/>', "not-an-image"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(300), "not-an-image"),
        (b"\0\0\0\x18ftypheic", "not-an-image"),
        (damaged_heic(), "not-an-image"),
        (encode(noise(), "ICO"), "not-an-image"),
        (encode(Image.new("RGB", (1, 1)), "PNG"), "image-too-small"),
        (encode(Image.new("L", (1, 100_000)), "PNG"), "image-too-small"),
        (encode(Image.new("L", (63, 64)), "PNG"), "image-too-small"),
        (png_bomb(2**31 - 1, 2**31 - 1), "image-too-large"),
        (png_bomb(60_000, 60_000), "image-too-large"),
        (png_bomb(10_000, 5_001), "image-too-large"),
        (png_bomb(10_000, 5_000), "not-an-image"),
        (png_bomb(0, 10), "not-an-image"),
    ],
)
def test_what_is_refused(body: bytes, slug: str) -> None:
    found = problem_of(body)
    assert found.slug == slug
    assert len(found.document.detail) > 20


def test_a_file_over_the_limit_is_refused_before_it_is_read() -> None:
    assert problem_of(encode(noise(), "PNG") + bytes(MAX_UPLOAD)).slug == "file-too-large"


@pytest.mark.parametrize("kind", [b"zTXt", b"iTXt", b"iCCP"])
def test_a_bomb_in_a_png_text_is_not_unpacked(kind: bytes) -> None:
    packed = zlib.compress(bytes(64 * 1024 * 1024), 1)
    head = {b"zTXt": b"k\0\0", b"iTXt": b"k\0\1\0\0\0", b"iCCP": b"k\0\0"}[kind]
    outcome = outcome_of(with_png_chunk(encode(noise(), "PNG"), kind, head + packed))
    assert outcome in ("taken", "not-an-image")


@pytest.mark.filterwarnings("ignore")  # Pillow warns of what is damaged; the page gets a problem
@pytest.mark.parametrize("name", ["jpeg", "progressive", "png", "webp", "tiff-deflate", "gif", "avif"])
def test_a_file_that_was_cut_off_is_refused(name: str) -> None:
    whole = samples()[name]
    for part in range(1, 20):
        cut = whole[: len(whole) * part // 20]
        # A file without its end may be whole as far as its first picture goes.
        assert outcome_of(cut) in ("not-an-image", *(["taken"] if name == "gif" else [])), part


def flipped(rng: random.Random, body: bytes) -> bytes:
    changed = bytearray(body)
    for _ in range(rng.choice((1, 2, 8, 40))):
        area = min(len(body), rng.choice((40, 400, len(body))))
        changed[rng.randrange(area)] = rng.choice((0, 255, rng.randrange(256)))
    return bytes(changed[: rng.randrange(len(body))] if rng.random() < 0.1 else changed)


@pytest.mark.filterwarnings("ignore")
def test_nothing_but_a_problem_comes_of_flipped_bytes() -> None:
    rng = random.Random(20261122)
    files = [*samples().values(), damaged_heic()]
    outcomes = Counter(outcome_of(flipped(rng, rng.choice(files))) for _ in range(600))
    assert min(outcomes["taken"], outcomes["not-an-image"]) > 50, outcomes


@pytest.mark.filterwarnings("ignore")
def test_nothing_but_a_problem_comes_of_nonsense_in_exif() -> None:
    rng = random.Random(7)
    picture = Image.new("RGB", (64, 64))
    for _ in range(200):
        nonsense = bytes(rng.choice((0, 1, 2, 3, 4, 5, 0x12, 0x69, 0x87, 255)) for _ in range(60))
        body = encode(picture, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0" + nonsense)
        assert outcome_of(body) in ("taken", "not-an-image")


_MEASURE = """
import resource, sys
from frontend_server.photo import read_photo
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
with open(sys.argv[1], "rb") as file:
    taken = read_photo(file)
print(taken.width, taken.height, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_memory_stays_bounded_for_the_largest_jpeg(tmp_path: object) -> None:
    path = f"{tmp_path}/large.jpg"
    Image.new("RGB", (8660, 5773), RED).save(path)
    done = subprocess.run([sys.executable, "-c", _MEASURE, path], capture_output=True, text=True, check=True)
    width, height, mebibytes = map(int, done.stdout.split())
    assert (width, height) == (MAX_SIDE, 1365)
    assert mebibytes < 150, "decoded at full size it would be 150 MB"


def test_the_limits_are_what_the_texts_say() -> None:
    assert (MAX_UPLOAD, picture.MAX_PIXELS) == (25 * 1024 * 1024, 50_000_000)


@pytest.mark.parametrize("size", [(1, 50_000_000), (50_000_000, 1), (63, 700_000)])
def test_a_thin_line_of_many_pixels_is_refused_before_it_is_decoded(size: tuple[int, int]) -> None:
    header = struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)
    claim = b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + png_chunk(b"IDAT", b"not even data")
    with pytest.raises(Problem) as caught:
        read(claim)
    assert caught.value.slug == "image-too-small"


def test_a_file_that_asks_for_more_memory_than_there_is_is_damaged(monkeypatch: pytest.MonkeyPatch) -> None:
    def beyond(_image: Image.Image, _longest: int) -> Image.Image:
        raise MemoryError

    monkeypatch.setattr(picture, "_scaled", beyond)
    with pytest.raises(Problem, match="not-an-image"):
        read(encode(noise(256), "PNG"))


def test_only_two_photos_are_decoded_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[str] = set()
    plain = photo._upright

    def noted(image: ImageFile.ImageFile) -> Image.Image:
        threads.add(threading.current_thread().name)
        return plain(image)

    monkeypatch.setattr(photo, "_upright", noted)
    body = encode(noise(256), "PNG")
    with ThreadPoolExecutor(8) as callers:
        assert len(list(callers.map(read, [body] * 24))) == 24
    assert 0 < len(threads) <= 2
