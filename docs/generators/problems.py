"""Every kind of problem."""

from __future__ import annotations

from docs.generators import markdown
from ligan.problem import CATALOGUE, TYPE_PREFIX


def page() -> str:
    """One table: type, HTTP status, title."""
    rows = ((f"`{TYPE_PREFIX}{slug}`", str(status), title) for slug, (status, title) in sorted(CATALOGUE.items()))
    intro = "Every error of every server is a problem document (RFC 9457); its `detail` says what to do.\n"
    return markdown.page("Problems", intro, markdown.table(("type", "status", "title"), rows))
