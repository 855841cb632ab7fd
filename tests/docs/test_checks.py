"""The checks of the site find what they are there to find."""

from __future__ import annotations

from pathlib import Path

from tests.docs.site import build, dead_links, pages
from tests.docs.test_site import IN_CSS, REMOTE

PAGE = """<html><head><link rel="stylesheet" href="https://cdn.example/x.css"><link rel="next" href="https://a.example/">
<script src="//cdn.example/y.js"></script></head><body><h1 id="here">A</h1><h3>B</h3><img src="z.png">
<a href="#here">1</a><a href="#gone">2</a><a href="other.html">3</a><a href="https://a.example/">4</a></body></html>"""


def test_a_bad_page_is_seen(tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text(PAGE)
    found = pages(tmp_path)
    page = found[tmp_path / "bad.html"]
    assert [load for load in page.loads if REMOTE.match(load)] == ["https://cdn.example/x.css", "//cdn.example/y.js"]
    assert list(dead_links(found)) == ["bad.html: #gone", "bad.html: other.html"]
    assert (page.headings, page.pictures) == ([1, 3], [""])


def test_a_load_in_a_style_sheet_is_seen() -> None:
    assert IN_CSS.findall("@import 'https://a.example/f.css'; b{background:url(//b.example/i.png)}") == [
        "https://a.example/f.css",
        "//b.example/i.png",
    ]
    assert IN_CSS.findall('a{background:url("data:image/svg+xml,http://www.w3.org/2000/svg")}') == []


def test_a_dead_link_fails_the_build(tmp_path: Path) -> None:
    source = tmp_path / "docs"
    source.mkdir()
    (source / "conf.py").write_text('extensions = ["myst_parser"]\nmyst_heading_anchors = 4\nhtml_theme = "furo"\n')
    (source / "index.md").write_text("# A\n[there](#a)\n")
    assert build(tmp_path / "site", source).returncode == 0
    (source / "index.md").write_text("# A\n[not there](#b)\n")
    done = build(tmp_path / "site", source)
    assert done.returncode != 0
    assert "#b" in done.stderr or "'b'" in done.stderr
