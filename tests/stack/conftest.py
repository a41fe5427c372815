"""Prometheus and Loki, one of each for a module; skipped where `make tools` has not been run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from binaries import TOOLS

from .loki import Loki
from .prometheus import Prometheus

HERE = Path(__file__).parent
MISSING = [f"{tool.name} {tool.version}" for tool in TOOLS if not tool.built]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.once)
            if MISSING:
                item.add_marker(pytest.mark.skip(reason=f"not built: {', '.join(MISSING)}; run `make tools`"))


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    with Prometheus(tmp_path_factory.mktemp("prometheus")) as running:
        yield running


@pytest.fixture(scope="module")
def loki(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Loki]:
    with Loki(tmp_path_factory.mktemp("loki")) as running:
        yield running
