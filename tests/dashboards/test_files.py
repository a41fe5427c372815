"""What is checked in is what the code makes."""

import pytest

from .board import FOLDER

pytestmark = pytest.mark.once

files = pytest.importorskip("boards.files", reason="grafana-foundation-sdk needs Python 3.11", exc_type=ImportError)
MADE = files.all_of_them()


@pytest.mark.parametrize("name", MADE)
def test_a_file_is_what_the_code_makes_of_it(name: str) -> None:
    assert (FOLDER / name).read_text() == MADE[name], "run `nox -s dashboards`"


def test_nothing_else_lies_there() -> None:
    found = {str(file.relative_to(FOLDER)) for file in [*FOLDER.rglob("*.json"), *FOLDER.rglob("*.yaml")]}
    assert found == set(MADE)


def test_the_runbooks_address_can_be_chosen() -> None:
    made = files.all_of_them("https://wiki.example/runbooks/{}/")["alerts/alert-rules.yaml"]
    assert "runbook_url: https://wiki.example/runbooks/killed/" in made
