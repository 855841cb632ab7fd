"""Small sources for tests: images, archives, and what is wrong with them."""

import io
import tarfile

import numpy as np
from PIL import Image


def picture(seed=0, height=24, width=24):
    """A colourful photo that no other seed has."""
    return np.random.default_rng(seed).integers(20, 230, (height, width, 3), dtype=np.uint8)


def encoded(pixels, kind="PNG"):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind)
    return buffer.getvalue()


def folder_of(path, files):
    for name, data in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(data)
    return path


def archive_of(path, files):
    with tarfile.open(path, "w") as archive:
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return path


def pngs(count, **size):
    return {f"{index:03d}.png": encoded(picture(index, **size)) for index in range(count)}
