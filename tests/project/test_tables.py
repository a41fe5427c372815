"""Tables of the docs that repeat what the code says: each has what the code has, and nothing else."""

import ast
import re
from collections.abc import Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, Final, get_args

import pytest
from click import Context, Option

from autogen_streamtrace import cli
from autogen_streamtrace.commands.chaos.faults import FAULTS
from autogen_streamtrace.commands.chaos.rehearsal import plan
from autogen_streamtrace.commands.diagnose.findings import Finding
from autogen_streamtrace.commands.diagnose.scene import Kind
from autogen_streamtrace.commands.ui.views.filters import NAMES
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.telemetry.meters import Meters
from autogen_streamtrace.recorder import layout

pytestmark = pytest.mark.once

ROOT: Final = Path(__file__).parents[2]
DOCS: Final = ROOT / "docs"
WORD: Final = re.compile(r"`([^`]+)`")
UNLISTED: Final = {"none", "retry"}
"""Faults that cut nothing."""


def rows(page: Path, head: str) -> list[list[str]]:
    """The cells of the table that begins with this head."""
    below = page.read_text(encoding="utf-8").partition(f"\n| {head} |\n")[2].partition("\n\n")[0]
    lines = below.splitlines()[1:]
    assert lines, f"{page} has no table {head!r}"
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])] for line in lines]


def words(cells: Iterable[str]) -> list[str]:
    return [word for cell in cells for word in WORD.findall(cell)]


def first(page: Path, head: str) -> list[str]:
    """The words of the table's first column."""
    return words(cells[0] for cells in rows(page, head))


def test_the_readme_tells_what_each_command_says() -> None:
    told = {word.split()[1] for word in first(ROOT / "README.md", "command | says") if " " in word}
    assert told | {"demo", "echo"} == set(cli.app.list_commands(Context(cli.app)))


def test_every_fault_of_chaos_is_explained() -> None:
    told = set(first(DOCS / "chaos.md", "fault | what the client sees"))
    kinds = {fault for fault in FAULTS if not fault.startswith("http_")} - UNLISTED
    assert (told - set(FAULTS), kinds - told) == (set(), set())


def test_every_kind_of_finding_is_explained() -> None:
    assert set(first(DOCS / "diagnose.md", "`kind` | what it looks for | what it says")) == set(get_args(Kind))


def test_every_field_of_a_finding_is_explained() -> None:
    text = (DOCS / "diagnose.md").read_text(encoding="utf-8")
    section = text.partition("## Fields of a finding")[2].partition("\n## ")[0]
    assert set(WORD.findall(section)) >= {field.name for field in fields(Finding)}


def test_the_ports_of_ui_are_its_defaults() -> None:
    command = cli.app.get_command(Context(cli.app), "ui")
    assert command is not None
    known = {each.opts[0]: str(each.default) for each in command.params if isinstance(each, Option)}
    told = {option.strip("`"): port for port, option, _ in rows(DOCS / "ui.md", "port | option | for")}
    assert told == {option: known[option] for option in ("--grpc-port", "--http-port", "--port")}
    kept = (DOCS / "ui.md").read_text(encoding="utf-8").partition("## What it keeps")[2]
    assert (known["--keep-mb"], known["--keep-days"]) == ("1000", "14.0") and "1 GB" in kept and "14 days" in kept


def test_the_filters_of_the_page_are_those_that_it_knows() -> None:
    [told] = re.findall(r"The filters \(([^)]*)\)", " ".join((DOCS / "ui.md").read_text(encoding="utf-8").split()))
    assert set(WORD.findall(told)) == set(NAMES)


def test_every_key_of_a_plan_is_explained() -> None:
    assert set(first(DOCS / "game-day.md", "key |")) == set(plan._ALLOWED)


def test_every_file_of_the_dashboards_is_listed() -> None:
    folder = ROOT / "dashboards"
    files = [path for pattern in ("*.json", "*.yaml", "alerts/*", "victorialogs/*") for path in folder.glob(pattern)]
    told = re.findall(
        r"\]\(([^)]+)\)", "".join(cells[0] for cells in rows(folder / "README.md", "file | what it is | goes to"))
    )
    assert set(told) == {path.relative_to(folder).as_posix() for path in files}


def test_every_backend_has_a_row_and_a_configuration() -> None:
    table = rows(
        DOCS / "backends" / "README.md",
        "backend | traces | metrics | log events | dashboards and alerts of this project",
    )
    told = set(re.findall(r"\]\(([\w-]+)\.md\)", "".join(cells[0] for cells in table)))
    assert told == {path.stem for path in (DOCS / "backends").glob("*.md")} - {"README"}
    pages = " ".join(path.read_text(encoding="utf-8") for path in (DOCS / "backends").glob("*.md"))
    assert [path.name for path in (ROOT / "backends").glob("*.yaml") if path.name not in pages] == []


def test_what_a_server_span_says_are_attributes() -> None:
    attributes = {value for name, value in vars(sc).items() if name.startswith("A_")}
    told = [
        word for cells in rows(DOCS / "servers.md", "attribute `streamtrace.…` |") for word in WORD.findall(cells[0])
    ]
    assert [name for name in told if f"streamtrace.{name}" not in attributes] == []


def test_the_parts_of_the_recorders_file_have_their_size() -> None:
    page = DOCS / "recorder.md"
    told = {part: size for part, size, _ in rows(page, "part | size | contains")}
    assert told == {
        "header": f"{layout.HEADER_SIZE // 1024} KB",
        "pulse": "4 KB",
        "progress": f"{layout.PROGRESS_SIZE} bytes a row",
        "retired": f"{layout.MARK_SIZE} bytes a row",
        "told": f"{layout.MARK_SIZE} bytes a row",
        "rows": f"{layout.ROW_SIZE // 1024} KB a row",
    }
    assert f"(version {layout.VERSION};" in page.read_text(encoding="utf-8")


def test_the_ten_tests_of_a_service_are_those_of_the_example() -> None:
    tests = ast.parse((ROOT / "examples" / "test_streams.py").read_text(encoding="utf-8")).body
    names = [each.name for each in tests if isinstance(each, ast.FunctionDef) and each.name.startswith("test_")]
    told = [cells[0] for cells in rows(DOCS / "testing.md", "test | what goes wrong without it")]
    assert [re.sub(r"\W", "_", title.lower().replace("'", "")) for title in told] == [
        name.removeprefix("test_") for name in names
    ]


class KindsOfMeters:
    """A meter that remembers of which kind each instrument is."""

    def __init__(self) -> None:
        self.made: dict[str, str] = {}

    def __getattr__(self, name: str) -> Any:
        kind = name.removeprefix("create_").removeprefix("observable_").replace("_", " ").replace("up down", "up-down")

        def create(name: str, *arguments: Any, **keywords: Any) -> None:
            self.made[name] = kind

        return create


def test_every_metric_is_of_the_kind_that_the_reference_says() -> None:
    meter: Any = KindsOfMeters()
    Meters(meter)
    page = DOCS / "telemetry.md"
    heads = ("metric | kind | counts or measures | attributes", "metric | kind | counts or measures")
    told = {cells[0].strip("`"): cells[1] for head in heads for cells in rows(page, head)}
    assert len(meter.made) > 15
    assert {name: told[name] for name in meter.made} == meter.made


@pytest.mark.parametrize("store", ["prometheus", "loki"])
def test_the_settings_for_late_data_are_those_that_are_shipped(store: str) -> None:
    [row] = [
        cells for cells in rows(DOCS / "scaling.md", "store | setting | where") if f"stores/{store}.yaml" in cells[2]
    ]
    shipped = (ROOT / "stores" / f"{store}.yaml").read_text(encoding="utf-8")
    settings = [word.rpartition(".")[2] for word in WORD.findall(row[1]) if ": " in word]
    assert settings and [setting for setting in settings if setting not in shipped] == []
