"""Images and the faces found on them."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from ligan.ids import ImageId, SessionId, Sha256
from ligan.wire.base import MOST, Message


class Box(Message):
    """A face's box in pixels of its image; right and bottom are excluded."""

    left: int = Field(ge=0)
    top: int = Field(ge=0)
    right: int = Field(ge=1)
    bottom: int = Field(ge=1)
    score: float = Field(ge=0, le=1, description="The detector's confidence")


class FaceState(StrEnum):
    FOUND = "found"
    PENDING = "pending"
    """No backend is ready to look yet; the task itself will look, and say what is wrong if no face is there."""


class Flag(StrEnum):
    """What a screen found about a face that was made: reasons to look twice, and no measure of fairness."""

    UNCLEAR_FACE = "unclear-face"
    """Eyes, nose and mouth were not found."""
    UNUSUAL_FACE = "unusual-face"
    """Far from the faces that the engine draws."""
    DOUBLE_OF_SUSPECT = "double-of-suspect"
    """So near to the person on the photo that both might be taken for one."""
    DOUBLE_OF_FILLER = "double-of-filler"
    """So near to an earlier face of this result."""
    OTHER_AGE = "other-age"
    """Seems to be of another age than the person on the photo."""
    OTHER_GENDER = "other-gender"


class Face(Message):
    """The face of an upload that tasks will use."""

    state: FaceState
    box: Box | None = None
    count: int | None = Field(None, description="Faces on the photo; null while pending")


class Origin(StrEnum):
    UPLOAD = "upload"
    TASK = "task"


class Upload(Message):
    """Answer to `POST uploads`."""

    image_id: ImageId
    width: int = Field(ge=1, description="Pixels, after turning the photo as its EXIF says")
    height: int = Field(ge=1)
    face: Face


class NewImage(Message):
    """The frontend tells the daemon of an upload whose bytes are already an artifact."""

    session_id: SessionId
    sha256: Sha256
    width: int = Field(ge=1, le=MOST)
    height: int = Field(ge=1, le=MOST)
    face: int | None = Field(
        None, ge=1, le=MOST, description="Which face, counted from the left, when there are several"
    )


def _is_none(value: object) -> bool:
    return value is None


class ImageRef(Message):
    """An input image of a task, as the backend gets it."""

    image_id: ImageId
    sha256: Sha256
    origin: Origin
    face: int | None = Field(None, ge=1, description="Which face, counted from the left, when there are several")
    weights: Sha256 | None = Field(None, exclude_if=_is_none, description="Artifact: the refined weights that made it")


class Look(Message):
    """Daemon to backend: which face of this artifact would tasks use? Answered with Face or a problem."""

    sha256: Sha256
    face: int | None = Field(None, ge=1, description="Which face, counted from the left, when there are several")
