"""Sphinx extension: what Sphinx and Furo leave out of their HTML for people who read without a mouse or by ear.

WCAG 2.2, success criteria 2.1.1 (what scrolls can be reached by keyboard) and 4.1.2 (a heading has a level).
"""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

_BODY = {
    "<pre>": '<pre tabindex="0">',
    '<div class="table-wrapper': '<div tabindex="0" class="table-wrapper',
}
_NAVIGATION = {'role="heading"': 'role="heading" aria-level="2"'}
_AFTER_FURO = 900
"""Furo puts its navigation tree into the context at Sphinx's own priority, 500."""


def mend(_app: Sphinx, _page: str, _template: str, context: dict[str, Any], _doctree: nodes.document | None) -> None:
    """Change the page's parts before they are put together."""
    for part, changes in (("body", _BODY), ("furo_navigation_tree", _NAVIGATION)):
        for before, after in changes.items():
            context[part] = context.get(part, "").replace(before, after)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("html-page-context", mend, priority=_AFTER_FURO)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
