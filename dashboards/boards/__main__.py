"""Writes the dashboards and the rules; with ``--check`` says which of the files are not what the code makes of them."""

import argparse
import sys
from pathlib import Path

from . import files

FOLDER = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m boards", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit status 1 where a file differs")
    parser.add_argument(
        "--runbooks",
        default=files.RUNBOOKS,
        metavar="URL",
        help="the address of a runbook, with {} in place of its name (default: %(default)s)",
    )
    asked = parser.parse_args()
    if "{}" not in asked.runbooks:
        parser.error(f"--runbooks {asked.runbooks}: the address needs {{}} in place of the runbook's name")
    made = files.all_of_them(asked.runbooks)
    stale = [name for name, text in made.items() if not same(FOLDER / name, text)]
    if asked.check:
        for name in stale:
            print(f"dashboards/{name} is not what the code makes of it: run `nox -s dashboards`", file=sys.stderr)
        return int(bool(stale))
    for name, text in made.items():
        (FOLDER / name).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / name).write_text(text)
    print(f"{len(made)} files, {len(stale)} of them changed")
    return 0


def same(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


if __name__ == "__main__":
    sys.exit(main())
