"""Sphinx's settings for the site: `make docs` builds it into build/site, and any warning is a failure.

MyST reads the Markdown, Furo is the theme. Nothing of the site is loaded from another host.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from ligan import __version__

project = "LiGAN"
author = "The LiGAN authors"
copyright = "the LiGAN authors, MIT licence"  # noqa: A001 (Sphinx's own name)
release = version = __version__
language = "en"

extensions = ["myst_parser", "docs.extensions.accessible", "docs.extensions.elsewhere"]
exclude_patterns = ["generators", "extensions"]
myst_heading_anchors = 4
nitpicky = True
highlight_language = "none"  # a block without a language is shown as it is

html_theme = "furo"
html_title = f"LiGAN {__version__}"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
