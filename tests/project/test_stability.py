"""The public names are those that the list promises, and the page tells of each table of it."""

from pathlib import Path

import public_names
import pytest

pytestmark = pytest.mark.once

PAGE = Path(__file__).parents[2] / "docs" / "stability.md"
NAMES = public_names.collected()


def test_the_public_names_are_those_of_the_list() -> None:
    """Where one came, `python tests/public_names.py` adds it. Where one went or changed, that breaks a promise."""
    assert public_names.FILE.read_text(encoding="utf-8").splitlines() == public_names.as_toml(NAMES).splitlines()


@pytest.mark.parametrize("table", NAMES)
def test_no_table_of_the_list_is_empty_or_has_a_name_twice(table: str) -> None:
    assert NAMES[table]
    assert len(NAMES[table]) == len(set(NAMES[table]))


def test_the_page_tells_of_each_table_of_the_list() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert [table for table in NAMES if f"`{table}`" not in page] == []
