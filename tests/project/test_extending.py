"""The examples of docs/extending.md do what the page says, in a folder of their own."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

pytestmark = pytest.mark.once

PAGE: Final = Path(__file__).parents[2] / "docs" / "extending.md"
BLOCK: Final = re.compile(r"^```\w+\n(# (\S+)\n.*?)^```$", re.MULTILINE | re.DOTALL)
"""A file, named in its first line."""


def test_every_example_passes(tmp_path: Path) -> None:
    files = {name: text for text, name in BLOCK.findall(PAGE.read_text(encoding="utf-8"))}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    tests = [name for name in files if name.startswith("test_")]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=55,
    )
    assert f"{len(tests)} passed" in run.stdout, run.stdout + run.stderr
    assert len(tests) == 5
