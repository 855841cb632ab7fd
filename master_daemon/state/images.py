"""Images of sessions. Another session's image does not exist (promise 8)."""

from __future__ import annotations

from sqlalchemy import Connection, delete, insert, select

from ligan.ids import new_id
from ligan.problem import Problem
from ligan.wire.image import ImageRef, Origin
from master_daemon.state.database import Transaction
from master_daemon.state.schema import images


def add(
    transaction: Transaction,
    key: str,
    sha256: str,
    size: tuple[int, int],
    origin: Origin,
    now: float,
    face: int | None = None,
) -> str:
    """A new image of the session; `size` is (width, height) in pixels. Returns its ID."""
    image_id = new_id("i")
    transaction.connection.execute(
        insert(images).values(
            image_id=image_id,
            session_key=key,
            sha256=sha256,
            origin=origin.value,
            width=size[0],
            height=size[1],
            face=face,
            created_at=now,
        )
    )
    return image_id


def remove(transaction: Transaction, image_id: str) -> None:
    transaction.connection.execute(delete(images).where(images.c.image_id == image_id))


def ref(connection: Connection, key: str, image_id: str) -> ImageRef:
    """The image for a task order. Raises Problem `unknown-image`."""
    row = connection.execute(
        select(images).where(images.c.session_key == key, images.c.image_id == image_id)
    ).one_or_none()
    if row is None:
        raise Problem("unknown-image", "This session has no such image; upload the photo again.")
    return ImageRef(image_id=row.image_id, sha256=row.sha256, origin=Origin(row.origin), face=row.face)


def owns_artifact(connection: Connection, key: str, sha256: str) -> bool:
    query = select(images.c.image_id).where(images.c.session_key == key, images.c.sha256 == sha256).limit(1)
    return connection.execute(query).first() is not None
