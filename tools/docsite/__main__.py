"""Builds the documentation as a site, and fails on every warning: a link that leads nowhere is one.

python -m docsite [TARGET]        in tools/

TARGET is a folder, build/site by default. STREAMTRACE_SITE_URL says where it is to be served, and
STREAMTRACE_REPOSITORY_URL where its source is.
"""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Final

from sphinx.cmd.build import main as sphinx

from . import addresses

sys.path.append(str(addresses.ROOT / "dashboards"))

from . import contents, downloads, pages

HERE: Final = Path(__file__).parent
TARGET: Final = addresses.ROOT / "build" / "site"


def main(target: Path = TARGET) -> int:
    """Builds the site into a folder. Returns Sphinx' exit status."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder)
        write_sources(source)
        return int(sphinx(["-q", "-W", "--keep-going", "-b", "dirhtml", str(source), str(target)]))


def write_sources(source: Path) -> None:
    """Writes what Sphinx reads: pages with their links led to each other, pictures, configuration."""
    written = {page: contents.text(page) for page in contents.pages_of_docs()} | {
        page: make() for page, make in contents.MADE.items()
    }
    for page, text in contents.complete(written).items():
        _write(source / page, addresses.moved(text, page))
    _write(source / "llms.txt", pages.llms(written))
    _write(source / "llms-full.txt", pages.llms_full(written))
    downloads.write(source / addresses.SERVED / "dashboards")
    for picture in (*addresses.DOCS.rglob("*.svg"), *addresses.DOCS.rglob("*.png")):
        copy = source / picture.relative_to(addresses.DOCS)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(picture, copy)
    for name in ("conf.py", "site.css", "logo.svg"):
        shutil.copy(HERE / name, source / name)


def _write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


if __name__ == "__main__":
    sys.exit(main(*map(Path, sys.argv[1:])))
