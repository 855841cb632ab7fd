"""What a refinement works towards: one photo in its engine's frame, and how much each of its pixels counts."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from backend_container.models.appearance.align import align, alignment
from backend_container.models.engine import Engine, FaceBox, Photo
from backend_container.models.landmarks import FaceMesh, Points

HALO = 0.3
"""Weight of what surrounds the face (hair, ears, neck), next to the face's 1; the background beyond has none."""
HALO_WIDTH = 1 / 6
"""Of the frame: how far the halo reaches beyond the face's outline."""


@dataclass(frozen=True, eq=False)
class Target:
    """A photo to be rendered. `pixels` and `mask` lie on the engine's device."""

    pixels: Tensor
    """Shape (1, 3, R, R), RGB in -1 to 1."""
    mask: Tensor
    """Shape (1, 1, R, R), 0 to 1, with a sum above 0."""
    latent: NDArray[np.float32]
    """What the engine's encoder made of the photo, shape latent_shape: where a refinement starts."""

    def error(self, images: Tensor) -> Tensor:
        """Mean squared error of images (n, 3, R, R) over the mask, shape (n,); levels are -1 to 1."""
        squares = (images - self.pixels).square().mean(1, keepdim=True) * self.mask
        return squares.sum((1, 2, 3)) / self.mask.sum()


def target_of(engine: Engine, mesh: FaceMesh, photo: Photo, face: FaceBox, device: torch.device) -> Target:
    """The face of a photo as the engine frames it. Raises ModelError as the engine's `encode`."""
    latent = engine.encode(photo, face)
    mask = torch.from_numpy(aligned_mask(photo, mesh.points(photo, face), engine.resolution))
    return Target(planes(engine.frame(photo, face), device), mask[None, None].to(device), latent)


def planes(photo: Photo, device: torch.device) -> Tensor:
    """A photo, uint8 (R, R, 3), as the networks take it: (1, 3, R, R), -1 to 1."""
    floats = torch.from_numpy(np.ascontiguousarray(photo)).to(device).float()
    return (floats / 127.5 - 1).permute(2, 0, 1)[None]


def picture(image: Tensor) -> Photo:
    """The inverse of `planes` for an image (3, R, R) or (1, 3, R, R); what lies outside of -1 to 1 is cut off."""
    levels = (image.detach().reshape(image.shape[-3:]) * 127.5 + 127.5).round().clamp(0, 255)
    return np.asarray(levels.permute(1, 2, 0).to(torch.uint8).cpu().numpy(), np.uint8)


def aligned_mask(photo: Photo, found: Points, size: int) -> NDArray[np.float32]:
    """`face_mask` in the frame of a photo with these landmarks; 0 where the photo's border was continued."""
    photographed = cv2.warpAffine(np.ones(photo.shape[:2], np.float32), alignment(found, size), (size, size))
    return np.asarray(face_mask(align(photo, found, size)[1], size) * photographed, np.float32)


def face_mask(outline: Points, size: int) -> NDArray[np.float32]:
    """Weights, shape (size, size), of a face whose points (n, 2), in pixels of the frame, lie inside its outline.

    1 inside the points' convex hull, HALO around it, 0 in the background; edges are soft.
    """
    inside = np.zeros((size, size), np.float32)
    cv2.fillConvexPoly(inside, cv2.convexHull(np.rint(outline).astype(np.int32)), 1.0)
    reach = max(int(size * HALO_WIDTH), 1)
    around = cv2.dilate(inside, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1)))
    soft = cv2.GaussianBlur(inside, (0, 0), size / 64), HALO * cv2.GaussianBlur(around, (0, 0), size / 32)
    return np.asarray(np.maximum(*soft), np.float32)
