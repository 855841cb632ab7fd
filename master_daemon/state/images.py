"""Images of sessions. Another session's image does not exist (promise 8)."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, insert, or_, select

from ligan.ids import new_id
from ligan.problem import Problem
from ligan.wire.image import ImageRef, Origin
from master_daemon.state.database import Transaction
from master_daemon.state.prepared import Prepared
from master_daemon.state.schema import images

_ADD = Prepared(insert(images), *images.c.keys())
_OF_SESSION = images.c.session_key == bindparam("key")
_REF = Prepared(
    select(images.c.image_id, images.c.sha256, images.c.origin, images.c.face, images.c.weights).where(
        _OF_SESSION, images.c.image_id == bindparam("id")
    )
)
_NAMED = or_(images.c.sha256 == bindparam("name"), images.c.weights == bindparam("name"))
_OWNED = Prepared(select(images.c.image_id).where(_OF_SESSION, _NAMED).limit(1))
_REMOVE = Prepared(delete(images).where(images.c.image_id == bindparam("id")))


def add(
    transaction: Transaction,
    key: str,
    sha256: str,
    size: tuple[int, int],
    origin: Origin,
    now: float,
    face: int | None = None,
    image_id: str | None = None,
    weights: str | None = None,
) -> str:
    """A new image of the session; `size` is (width, height) in pixels, `weights` the artifact of the refined weights
    that made it. Returns its ID, a new one if none is given.
    """
    image_id = image_id or new_id("i")
    values = {
        "image_id": image_id,
        "session_key": key,
        "sha256": sha256,
        "origin": origin.value,
        "width": size[0],
        "height": size[1],
        "face": face,
        "weights": weights,
        "created_at": now,
    }
    _ADD.run(transaction.connection, values)
    return image_id


def remove(transaction: Transaction, image_id: str) -> None:
    _REMOVE.run(transaction.connection, {"id": image_id})


def ref(connection: Connection, key: str, image_id: str) -> ImageRef:
    """The image for a task order. Raises Problem `unknown-image`."""
    row = _REF.first(connection, {"key": key, "id": image_id})
    if row is None:
        raise Problem("unknown-image", "This session has no such image; upload the photo again.")
    origin = Origin(row.origin)
    return ImageRef(image_id=row.image_id, sha256=row.sha256, origin=origin, face=row.face, weights=row.weights)


def owns_artifact(connection: Connection, key: str, sha256: str) -> bool:
    """Is it an image of the session, or the refined weights that made one?"""
    return _OWNED.first(connection, {"key": key, "name": sha256}) is not None
