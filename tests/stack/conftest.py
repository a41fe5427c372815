"""Prometheus, VictoriaLogs and Jaeger, one of each for a module; skipped where `make tools` has not been run."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from binaries import TOOLS

from .jaeger import Jaeger
from .prometheus import Prometheus
from .victorialogs import VictoriaLogs

HERE = Path(__file__).parent
LONGEST = [f"test_{name}" for name in ("game_day", "queries", "arrival", "clickhouse", "fleet")]
"""Files of tests that take a minute or so; where files run side by side, these begin first."""
MISSING = [f"{tool.name} {tool.version}" for tool in TOOLS if not tool.built]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONGEST.index(item.path.stem) if item.path.stem in LONGEST else len(LONGEST))
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
def victorialogs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[VictoriaLogs]:
    with VictoriaLogs(tmp_path_factory.mktemp("victorialogs")) as running:
        yield running


@pytest.fixture(scope="module")
def jaeger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Jaeger]:
    with Jaeger(tmp_path_factory.mktemp("jaeger")) as running:
        yield running
