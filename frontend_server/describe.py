"""`python -m frontend_server.describe`: this server's OpenAPI document, for the daemon's API pages."""

from __future__ import annotations

import json
import sys

from frontend_server.server import make_frontend
from ligan.web.app import json_document
from ligan.web.client import Client
from ligan.wire.task import TaskKinds


def main() -> None:
    app = make_frontend(Client("http://127.0.0.1"), lambda: TaskKinds(kinds=[]), "")
    json.dump({"openapi": json_document(app)}, sys.stdout)


if __name__ == "__main__":
    main()
