import io
import json

import numpy as np
import pytest
from PIL import Image

from backend_container import png
from backend_container.models.fake import FakeEngine
from ligan.problem import Problem
from tests.backend_container.builders import ONE_FACE, file_of, photo

LATENT = np.array([0.1, -2.5, 1e-7], np.float32)


def provenance(latent=LATENT, **changes):
    values = {"engine": "fake", "weights": None, "kind": "similar", "params": {"seed": 7, "page": 2}, **changes}
    return png.Provenance(latent=latent, **values)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (24, 20, 3), np.uint8)


def test_pixels_and_provenance_come_back_exactly(image):
    data = png.encode(image, provenance())
    assert np.array_equal(png.decode(data), image)
    read = png.provenance(data)
    assert (read.engine, read.weights, read.kind, read.params) == ("fake", None, "similar", {"seed": 7, "page": 2})
    assert read.latent.dtype == np.float32
    assert np.array_equal(read.latent, LATENT)


def test_a_latent_keeps_its_shape(image):
    latent = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert np.array_equal(png.provenance(png.encode(image, provenance(latent))).latent, latent)


def test_same_image_same_bytes(image):
    turned_round = dict(reversed(list(provenance().params.items())))
    assert png.encode(image, provenance()) == png.encode(image.copy(), provenance(params=turned_round))
    assert png.encode(image, provenance()) != png.encode(image, provenance(kind="random"))


def test_it_is_an_eight_bit_rgb_png_with_one_text_chunk(image):
    with Image.open(io.BytesIO(png.encode(image, provenance()))) as opened:
        opened.load()
        assert (opened.format, opened.mode, opened.size) == ("PNG", "RGB", (20, 24))
        assert list(opened.text) == ["ligan"]
        assert json.loads(opened.text["ligan"])["kind"] == "similar"


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 3)), np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8)])
def test_only_rgb_images_are_encoded(wrong):
    with pytest.raises(ValueError, match="an RGB image is uint8"):
        png.encode(wrong, provenance())


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "1"])
def test_every_mode_is_decoded_to_rgb(mode):
    buffer = io.BytesIO()
    Image.fromarray(photo(ONE_FACE)).convert(mode).save(buffer, "PNG")
    decoded = png.decode(buffer.getvalue())
    assert (decoded.shape, decoded.dtype) == ((60, 120, 3), np.uint8)


def test_a_photo_is_turned_as_its_exif_says():
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: the camera was turned by 90 degrees
    assert png.decode(file_of(photo(), exif=exif)).shape == (120, 60, 3)


@pytest.mark.parametrize("data", [b"", b"hello", file_of(photo(ONE_FACE))[:90], file_of(photo(ONE_FACE))[:40]])
def test_what_is_no_image_is_said_to_be_none(data):
    with pytest.raises(Problem) as caught:
        png.decode(data)
    assert caught.value.slug == "not-an-image"


def test_an_image_of_monstrous_size_is_refused(monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(Problem) as caught:
        png.decode(file_of(photo()))
    assert caught.value.slug == "image-too-large"


def with_chunk(text):
    info = png.PngInfo()
    info.add_text("ligan", text)
    return file_of(photo(), pnginfo=info)


def chunk(**changes):
    whole = {"engine": "fake", "weights": None, "kind": "random", "params": {}, "shape": [1], "latent": "AACAPw=="}
    return json.dumps({**whole, **changes})


def test_a_chunk_written_elsewhere_is_read():
    assert png.provenance(with_chunk(chunk())).latent.tolist() == [1.0]


@pytest.mark.parametrize(
    "data",
    [
        b"no image",
        file_of(photo()),
        with_chunk("not JSON"),
        with_chunk(chunk(latent="not base64!")),
        with_chunk(chunk(latent="AACA")),
        with_chunk(chunk(latent="AADAfw==")),  # not a number
        with_chunk(chunk(shape=[2])),
        with_chunk(chunk(stranger=1)),
    ],
)
def test_what_says_nothing_sensible_of_itself_has_no_provenance(data):
    assert png.provenance(data) is None


@pytest.mark.parametrize(
    ("made", "weights", "fits"),
    [
        (provenance(), None, True),
        (provenance(weights="abc"), "abc", True),
        (provenance(weights="abc"), "def", False),
        (provenance(engine="stylegan2"), None, False),
        (provenance(np.zeros(4, np.float32)), None, False),
    ],
)
def test_a_latent_fits_the_engine_and_weights_that_made_it(made, weights, fits):
    assert made.fits(FakeEngine(), weights) is fits
