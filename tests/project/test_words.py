"""What the page says of a word is what the docs say of it."""

import re
from pathlib import Path

import pytest

from autogen_streamtrace.commands.ui.words.vocabulary import words
from autogen_streamtrace.core import semconv as sc

pytestmark = pytest.mark.once

DOCS = Path(__file__).parents[2] / "docs"


def table(page: str, heading: str) -> dict[str, str]:
    """The first and the last cell of each row below a heading row."""
    below = (DOCS / page).read_text(encoding="utf-8").partition(f"{heading}\n")[2]
    rows = [re.split(r" *\| *", line.strip("| ")) for line in below.split("\n\n")[0].splitlines()[1:]]
    return {cells[0].strip("`"): cells[-1] for cells in rows}


@pytest.mark.parametrize(
    ("sort", "page", "heading"),
    [
        ("outcomes", "how-a-stream-is-judged.md", "| outcome | what happened |"),
        ("ended_by", "how-a-stream-is-judged.md", "| `ended_by` | |"),
        ("attributes", "telemetry.md", "| attribute | layer | what it says |"),
    ],
)
def test_the_page_explains_each_word_as_the_docs_do(sort: str, page: str, heading: str) -> None:
    assert words()[sort] == table(page, heading)


def test_every_outcome_has_a_meaning() -> None:
    assert set(words()["outcomes"]) == set(sc.OUTCOMES)
