"""Where each file of the repository stands on the site, and what a link between two files becomes there."""

import posixpath
import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"

ELSEWHERE: Final = {
    "README.md": "index.md",
    "dashboards/README.md": "dashboards.md",
    "examples/README.md": "examples.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "SECURITY.md": "security.md",
}
"""Pages that do not stand in docs/, and where they stand on the site."""

SERVED: Final = "served"
"""The folder of what the site serves as it is: the dashboards and alerts."""

_LINK: Final = re.compile(r"(\]\()([^)\s]+)(\))")
_PICTURE: Final = re.compile(r"^!\[([^\]]*)\]\(([^)\s]+)\)$", re.MULTILINE)
"""A picture that stands alone."""
_ABROAD: Final = re.compile(r"[a-z]+:|#|/")
_CODE: Final = re.compile(r"(^```.*?^```)", re.MULTILINE | re.DOTALL)


def on_site(file: Path) -> str:
    """The page of a file: its own where it is a page of the documentation, else one that shows its text."""
    path = file.relative_to(ROOT).as_posix()
    if path in ELSEWHERE:
        return ELSEWHERE[path]
    if path.startswith("dashboards/") and file.suffix in (".json", ".yaml", ".tmpl"):
        return f"{SERVED}/{path}"
    return file.relative_to(DOCS).as_posix() if file.is_relative_to(DOCS) else f"files/{path}.md"


def served(page: str) -> str:
    """The address of a page in a browser, from the top of the site."""
    return "./" if page == "index.md" else page.removesuffix(".md") + "/"


def home(page: str) -> Path:
    """The file from which a page of the site is made."""
    return next((ROOT / path for path, on in ELSEWHERE.items() if on == page), DOCS / page)


def linked(file: Path) -> list[Path]:
    """The files of the repository to which a page links."""
    found = (_target(file, match[2]) for part in _prose(file.read_text()) for match in _LINK.finditer(part))
    return [target for target in found if target is not None]


def moved(text: str, page: str) -> str:
    """The text of a page with each link to a file changed to the page that the file has on the site.

    A picture leads to itself, where it can be seen in its full size.
    """
    file = home(page)

    def link(match: re.Match[str]) -> str:
        target = _target(file, match[2])
        if target is None:
            return match[0]
        anchor = match[2].partition("#")
        relative = posixpath.relpath(on_site(target), posixpath.dirname(page) or ".")
        return f"{match[1]}{relative}{anchor[1]}{anchor[2]}{match[3]}"

    def picture(match: re.Match[str]) -> str:
        copy = f"_images/{posixpath.basename(match[2])}"  # where Sphinx puts it
        target = posixpath.relpath(copy, served(page))
        return f"```{{image}} {match[2]}\n:alt: {match[1]}\n:target: {target}\n```"

    def prose(part: str) -> str:
        return _PICTURE.sub(picture, _LINK.sub(link, part))

    return "".join(part if part.startswith("```") else prose(part) for part in _CODE.split(text))


def _prose(text: str) -> list[str]:
    return [part for part in _CODE.split(text) if not part.startswith("```")]


def _target(file: Path, link: str) -> Path | None:
    """The file to which a link leads; None where it leads to another site or to a place on its own page."""
    if _ABROAD.match(link):
        return None
    return (file.parent / link.partition("#")[0]).resolve()
