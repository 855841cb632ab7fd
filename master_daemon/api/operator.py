"""The operator page: static files, which ask /api/v1/admin with the token that the operator types."""

from __future__ import annotations

from pathlib import Path

from flask import Blueprint, Response, send_from_directory

_FILES = Path(__file__).parent / "operator_page"


def operator_page() -> Blueprint:
    """GET /operator and what it loads."""
    pages = Blueprint("operator", __name__)

    @pages.get("/operator")
    def page() -> Response:
        return send_from_directory(_FILES, "page.html", max_age=0)

    @pages.get("/operator/<path:name>")
    def asset(name: str) -> Response:
        return send_from_directory(_FILES, name, max_age=0)

    return pages
