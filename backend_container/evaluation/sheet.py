"""Many faces as one picture, inside a page."""

from __future__ import annotations

import base64

import cv2
import numpy as np

from backend_container.models.engine import Photo, Photos

QUALITY = 85
"""Of WebP: a face of 128 pixels takes about 3 kB."""
COLUMNS = 8


def sheet(photos: Photos, columns: int = COLUMNS) -> Photo:
    """Photos (n, h, w, 3), n at least 1, in rows of `columns`; what is left of the last row is white."""
    columns = min(columns, len(photos))
    rows = -(-len(photos) // columns)
    blank = np.full((rows * columns - len(photos), *photos.shape[1:]), 255, np.uint8)
    cells = np.concatenate([photos, blank]).reshape(rows, columns, *photos.shape[1:])
    lined = cells.transpose(0, 2, 1, 3, 4)
    return np.ascontiguousarray(lined.reshape(rows * photos.shape[1], columns * photos.shape[2], 3))


def pairs(above: Photos, below: Photos, columns: int = COLUMNS) -> Photo:
    """A sheet in which each of `above` stands on its fellow of `below`."""
    return sheet(np.concatenate([above, below], axis=1), columns)


def embedded(picture: Photo) -> str:
    """The picture as a `data:` address of a WebP file."""
    _, data = cv2.imencode(".webp", np.ascontiguousarray(picture[..., ::-1]), [cv2.IMWRITE_WEBP_QUALITY, QUALITY])
    return f"data:image/webp;base64,{base64.b64encode(data.tobytes()).decode()}"
