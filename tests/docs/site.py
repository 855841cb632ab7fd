"""The built site as files: what its pages load, link to and are made of."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

ROOT = Path(__file__).parents[2]
_LOADING = {"src", "srcset", "poster", "data", "action"}
_NO_LOAD = {"canonical", "index", "search", "next", "prev", "author", "copyright", "help"}
"""`rel` of <link> that makes a browser fetch nothing."""


def build(target: Path, source: Path = ROOT / "docs") -> subprocess.CompletedProcess[str]:
    """As `make docs` does, into another folder."""
    argv = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E", "-b", "html", "-d", f"{target}.doctrees"]
    return subprocess.run([*argv, source, target], capture_output=True, text=True, timeout=300, cwd=ROOT)


@dataclass
class HtmlPage(HTMLParser):
    """One page, read."""

    path: Path
    ids: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)
    headings: list[int] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    """The alternative text of each."""

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        has = {name: value or "" for name, value in attrs}
        self.ids |= {has["id"]} if "id" in has else set()
        self.loads += [value for name, value in has.items() if name in _LOADING]
        if tag == "a":
            self.links += [has["href"]] if "href" in has else []
        elif tag == "link" and not set(has.get("rel", "").split()) & _NO_LOAD:
            self.loads.append(has["href"])
        elif tag == "img":
            self.pictures.append(has.get("alt", ""))
        elif tag in ("h1", "h2", "h3", "h4", "h5", "h6"):
            self.headings.append(int(tag[1]))


def pages(site: Path) -> dict[Path, HtmlPage]:
    """By file."""
    return {path: HtmlPage(path) for path in sorted(site.rglob("*.html"))}


def dead_links(found: dict[Path, HtmlPage]) -> Iterator[str]:
    """Links within the site that lead to no file, or to no place in it."""
    for page in found.values():
        for link in page.links:
            parts = urlsplit(link)
            target = (page.path.parent / unquote(parts.path)).resolve() if parts.path else page.path
            if parts.scheme or (target.exists() and target not in found):
                continue
            if target not in found or (parts.fragment and unquote(parts.fragment) not in found[target].ids):
                yield f"{page.path.name}: {link}"
