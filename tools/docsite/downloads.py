"""The dashboards, rules and alerts as the site serves them: each alert leads to its runbook on the site."""

import os
import shutil
import zipfile
from pathlib import Path
from typing import Final

from boards import files

from .addresses import ROOT, served

SITE: Final = os.environ.get("STREAMTRACE_SITE_URL", "").rstrip("/")
"""Where the site is served; empty where nobody has said so."""
ARCHIVE: Final = "autogen-streamtrace-dashboards.zip"
BY_HAND: Final = ("alerts/message.tmpl",)


def write(folder: Path) -> None:
    """Writes them into a folder, and an archive of all beside them."""
    made = files.all_of_them(f"{SITE}/{served('runbooks/{}.md')}") if SITE else files.all_of_them()
    for name, text in made.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for name in BY_HAND:
        shutil.copy(ROOT / "dashboards" / name, folder / name)
    with zipfile.ZipFile(folder / ARCHIVE, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted([*made, *BY_HAND]):
            archive.write(folder / name, f"dashboards/{name}")
