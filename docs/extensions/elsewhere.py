"""Sphinx extension: pages of the site whose Markdown stands elsewhere in the tree, so that links to it lead there.

Each is a file in docs/project/ that includes the original. A link to any other file outside docs/ is a download.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx

ROOT = Path(__file__).parents[2]
PAGES = {
    "slurm/README": "project/slurm",
    "benchmarks/README": "project/benchmarks",
    "CHANGELOG": "project/changelog",
    "README": "index",
    "backend_container/weights/appearance/MODEL_CARD": "project/model-card",
}
"""Original, from the root and without its ending -> page."""


def lead_to_pages(_app: Sphinx, doctree: nodes.document) -> None:
    """Let links to the originals lead to their pages."""
    pages = {str(ROOT / original): page for original, page in PAGES.items()}
    for link in doctree.findall(addnodes.pending_xref):
        link["reftarget"] = pages.get(link["reftarget"], link["reftarget"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.connect("doctree-read", lead_to_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
