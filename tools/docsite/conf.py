"""How Sphinx builds the site. https://www.sphinx-doc.org/en/master/usage/configuration.html"""

import os
import re
from importlib.metadata import version as installed

from sphinx.application import Sphinx
from sphinx.util.typing import stringify_annotation

from autogen_streamtrace import instrument
from autogen_streamtrace.settings import Keywords

project = "autogen-streamtrace"
author = "The autogen-streamtrace authors"
project_copyright = author
release = version = installed(project)

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
myst_heading_anchors = 4
"""The headings that links may name, spelled as forges spell them."""
highlight_language = "text"
suppress_warnings = ["misc.highlighting_failure"]
"""Pygments knows no LogQL, no TraceQL, and of PromQL no colons in names."""
nitpicky = True
nitpick_ignore_regex = [("py:.*", r".*")]
"""Types of other packages: their documentation cannot be asked where there is no network."""

autodoc_typehints = "description"
autodoc_typehints_description_target = "documented_params"
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"


def setup(app: Sphinx) -> None:
    app.connect("autodoc-process-docstring", add_types_of_keywords, priority=900)


def add_types_of_keywords(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Says the type of each keyword of ``instrument()``, which takes them as a ``TypedDict``."""
    if thing is instrument:
        types = {key: stringify_annotation(of, "smart") for key, of in Keywords.__annotations__.items()}
        for place, line in reversed(list(enumerate(lines))):
            if found := re.match(r":param (\w+):", line):
                lines.insert(place, f":type {found[1]}: {types[found[1]].replace('~', '')}")


html_theme = "furo"
html_title = "autogen-streamtrace"
html_static_path = ["site.css"]
html_favicon = html_logo = "logo.svg"
html_css_files = ["site.css"]
html_extra_path = ["llms.txt", "llms-full.txt", "served"]
html_baseurl = os.environ.get("STREAMTRACE_SITE_URL", "")
html_copy_source = html_show_sourcelink = False
html_theme_options: dict[str, object] = {"top_of_page_buttons": []}
if repository := os.environ.get("STREAMTRACE_REPOSITORY_URL", ""):
    html_theme_options["footer_icons"] = [{"name": "The repository", "url": repository, "html": "Source", "class": ""}]
