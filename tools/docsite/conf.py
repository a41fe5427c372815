"""How Sphinx builds the site. https://www.sphinx-doc.org/en/master/usage/configuration.html"""

import os
from importlib.metadata import version as installed

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
autodoc_typehints_format = "short"
autodoc_member_order = "bysource"

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
