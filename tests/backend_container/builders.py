"""What many tests of the backend need: orders, and photos with faces for FakeDetector."""

from __future__ import annotations

import io
import threading

import numpy as np
from PIL import Image

from backend_container import png
from backend_container.checkpoints import Checkpoints
from backend_container.latent_cache import LatentCache
from backend_container.loading import Models
from backend_container.models.fake import FakeDetector, FakeEngine
from backend_container.progress import Progress
from backend_container.tasks.context import Context
from ligan.ids import new_id
from ligan.problem import Problem
from ligan.wire.image import ImageRef, Origin
from ligan.wire.task import TaskOrder

GREY = 200


def order(kind="noop", images=(), attempt=1, task_id=None, checkpoint=None, **params):
    return TaskOrder(
        task_id=task_id or new_id("t"),
        attempt=attempt,
        kind=kind,
        params=params,
        images=list(images),
        checkpoint=checkpoint,
    )


def photo(*faces, size=(60, 120)):
    """A grey photo of (height, width) with a face for each (left, top, right, bottom, colour), framed in red."""
    pixels = np.full((*size, 3), GREY, np.uint8)
    for left, top, right, bottom, colour in faces:
        pixels[top:bottom, left:right] = (255, 0, 0)
        pixels[top + 1 : bottom - 1, left + 1 : right - 1] = colour
    return pixels


ONE_FACE = (10, 10, 40, 50, (90, 120, 150))
OTHER_FACE = (60, 5, 95, 45, (160, 90, 70))
PASSER_BY = (100, 20, 112, 32, (30, 30, 30))


def file_of(pixels, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", **options)
    return buffer.getvalue()


class Shelf:
    """Artifacts in memory, and how often each was fetched."""

    def __init__(self):
        self.files = {}
        self.fetched = []

    def add(self, data, origin=Origin.UPLOAD, face=None):
        name = png.sha256(data)
        self.files[name] = data
        return ImageRef(image_id=new_id("i"), sha256=name, origin=origin, face=face)

    def fetch(self, sha256):
        self.fetched.append(sha256)
        if sha256 not in self.files:
            raise Problem("unknown-image", "There is no such artifact.")
        return self.files[sha256]


def fake_models(**options):
    return Models(FakeEngine(**options), FakeDetector())


def make_context(models, images, fetch, latents=None, cancelled=None, readings=None, checkpoint=None):
    send = readings.append if readings is not None else lambda reading: None
    stop = cancelled or threading.Event()
    checkpoints = Checkpoints(lambda seq, data: None, stop)
    return Context(models, images, fetch, latents or LatentCache(), Progress(send), stop, checkpoints, checkpoint)
