"""Puts the project's addresses on the web into the metadata of what is built.

A checkout does not know them. Whoever builds a release names them, as `.github/workflows/release.yml` does:
STREAMTRACE_REPOSITORY_URL is the repository's page, STREAMTRACE_SITE_URL the documentation. A wheel that is built from
an sdist keeps what the sdist says.

https://hatch.pypa.io/latest/plugins/metadata-hook/custom/
"""

import os
import re
from pathlib import Path
from typing import Any, Final

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK: Final = re.compile(r"(!?)(\[[^\]]*\]\()(?![a-z]+:|#)([^)\s]+)\)")
"""A Markdown link or picture whose address is relative."""


class Addresses(MetadataHookInterface):
    """Fills the fields ``urls`` and ``readme``."""

    def update(self, metadata: dict[str, Any]) -> None:
        repository, site = _address("STREAMTRACE_REPOSITORY_URL"), _address("STREAMTRACE_SITE_URL")
        text = Path(self.root, "README.md").read_text(encoding="utf-8")
        if repository:
            text = absolute(text, repository, f"v{metadata['version']}")
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
        metadata["urls"] = urls(repository, site)


def _address(variable: str) -> str:
    return os.environ.get(variable, "").rstrip("/")


def urls(repository: str, site: str) -> dict[str, str]:
    """The addresses that an index shows. Each argument may be empty."""
    found: dict[str, str] = {}
    if repository:
        found |= {
            "Homepage": repository,
            "Documentation": f"{repository}#readme",
            "Changelog": f"{repository}/releases",
        }
    if site:
        found |= {"Homepage": f"{site}/", "Documentation": f"{site}/", "Changelog": f"{site}/changelog/"}
    if repository:
        found |= {"Source": repository, "Issues": f"{repository}/issues"}
    return found


def absolute(text: str, repository: str, tag: str) -> str:
    """A text whose links lead to the files of this version: an index has no file beside it."""

    def link(found: re.Match[str]) -> str:
        picture, before, path = found.groups()
        return f"{picture}{before}{repository}/{'raw' if picture else 'blob'}/{tag}/{path})"

    return LINK.sub(link, text)
