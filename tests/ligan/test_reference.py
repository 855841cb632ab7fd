"""The generated pages are current."""

from pathlib import Path

from ligan.reference import problems_page, settings_page

DOCS = Path(__file__).parents[2] / "docs"


def test_generated_pages_are_current() -> None:
    assert (DOCS / "settings.md").read_text() == settings_page(), "run: .venv/bin/python scripts/write-docs"
    assert (DOCS / "problems.md").read_text() == problems_page(), "run: .venv/bin/python scripts/write-docs"
