"""No test meets what another one leaves behind."""

from pathlib import Path

import pytest

from autogen_streamtrace.recorder import directory

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def base_of_module() -> Path:
    return directory.base()


def test_what_a_module_starts_records_into_a_directory_of_its_own(base_of_module: Path, module_state: Path) -> None:
    assert base_of_module == module_state


def test_a_test_records_into_a_directory_of_its_own(state: Path, module_state: Path) -> None:
    assert directory.base() == state != module_state
