"""`python -m backend_container.describe`: the backend's tasks and API as one JSON document, without loading a model."""

from __future__ import annotations

import json
import sys
from typing import Any

from backend_container.server import document
from backend_container.tasks import REGISTRY


def describe() -> dict[str, Any]:
    """`kinds`: a `ligan.wire.task.TaskKinds` message; `openapi`: the document of the backend's API."""
    return {"kinds": REGISTRY.kinds().model_dump(mode="json"), "openapi": document()}


if __name__ == "__main__":
    json.dump(describe(), sys.stdout)
