"""What the pages say exists: their links, the paths and commands they name, and the words of the reference."""

import importlib.util
import re
import subprocess
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Final, get_args

import pytest
from click import Context

from autogen_streamtrace import cli, settings
from autogen_streamtrace.commands.demo.command import demo
from autogen_streamtrace.commands.demo.scenarios import SCENARIOS
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.verdict.rules import RULES
from autogen_streamtrace.watch import PROVIDERS

pytestmark = pytest.mark.once

ROOT: Final = Path(__file__).parents[2]
PACKAGE: Final = ROOT / "src" / "autogen_streamtrace"
LISTED: Final = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
PAGES: Final = sorted(path for path in (ROOT / name for name in LISTED.stdout.split()) if path.suffix == ".md")
README: Final = ROOT / "README.md"
JUDGED: Final = ROOT / "docs" / "how-a-stream-is-judged.md"
TELEMETRY: Final = ROOT / "docs" / "telemetry.md"

LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
WORD: Final = re.compile(r"`([^`\n]+)`")
A_PATH: Final = re.compile(r"[\w.-]+(/[\w.-]+)*\.(py|md|yaml|yml|toml|json|svg)|[\w.-]+(/[\w.-]+)*/")
ABROAD: Final = {"crash-", "build/corpus", "main.py", "app.py", "go.mod"}
"""Files of the reader's own."""

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@each_page
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    gone = [link for link in internal(page) if not target(page, link).exists()]
    assert gone == []


@each_page
def test_every_anchor_is_a_heading_of_its_page(page: Path) -> None:
    gone = [
        link for link in internal(page) if "#" in link and link.partition("#")[2] not in anchors(target(page, link))
    ]
    assert gone == []


@each_page
def test_every_path_that_a_page_names_exists(page: Path) -> None:
    named = {word for word in WORD.findall(text(page)) if A_PATH.fullmatch(word)} - ABROAD
    roots = (page.parent, ROOT, PACKAGE, ROOT / "tests" / "stack")
    assert [path for path in sorted(named) if not any((root / path).exists() for root in roots)] == []


def test_the_layout_has_each_module_and_folder_of_the_package_of_its_core_and_of_flow() -> None:
    layout = text(ROOT / "CONTRIBUTING.md").partition("```\nsrc/autogen_streamtrace/\n")[2].partition("\ntests/")[0]
    told = {word for line in layout.splitlines() for word in re.split(r",? +", re.split(r" {2,}", line.strip())[0])}
    there = {
        f"{each.stem}/" if (each / "__init__.py").exists() else each.stem
        for folder in (PACKAGE, PACKAGE / "core", PACKAGE / "flow")
        for each in folder.iterdir()
        if (each.suffix == ".py" and not each.stem.startswith("__")) or (each / "__init__.py").exists()
    }
    deeper = {f"{folder.parent.name}/" for folder in PACKAGE.rglob("__init__.py")}
    assert (there - told, told - there - deeper) == (set(), set())


@each_page
def test_every_script_session_and_target_that_a_page_calls_exists(page: Path) -> None:
    scripts = re.findall(r"python ((?:bench|docs|examples|tests|tools)/[\w./]+\.py)", text(page))
    sessions = re.findall(r"nox -s \"?(\w+)", text(page))
    targets = re.findall(r"^make (\w+)|`make (\w+)`", text(page), re.MULTILINE)
    assert [path for path in scripts if not (ROOT / path).exists()] == []
    assert set(sessions) <= set(re.findall(r"^def (\w+)\(session", text(ROOT / "noxfile.py"), re.MULTILINE))
    assert {one or other for one, other in targets} <= set(
        re.findall(r"^(\w+):", text(ROOT / "Makefile"), re.MULTILINE)
    )


def test_the_readme_leads_to_every_page_of_the_docs() -> None:
    led_to = {target(README, link).resolve() for link in internal(README)}
    assert [page.name for page in (ROOT / "docs").glob("*.md") if page not in led_to] == []


@each_page
def test_every_command_and_option_that_a_page_names_exists(page: Path) -> None:
    wrong = []
    for command, rest in re.findall(r"autogen-streamtrace ([a-z]+)([^`\n|]*)", text(page)):
        known = cli.app.get_command(Context(cli.app), command)
        options = set(re.findall(r"--[a-z-]+", rest))
        if known is None or not options <= set(chain(*(each.opts for each in known.params), ["--help"])):
            wrong.append(command + rest)
    assert wrong == []


@each_page
def test_every_public_name_that_a_page_uses_is_one(page: Path) -> None:
    used = set(re.findall(r"\bstreamtrace\.[a-z_.]*[a-z_]\b(?!/)", text(page)))
    assert sorted(used - set(names("A_", "E_", "M_")) - parents()) == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "runbooks").glob("*.md")), ids=lambda page: page.stem)
def test_every_panel_that_a_runbook_names_is_on_a_dashboard(page: Path) -> None:
    titles = set(
        chain(*(re.findall(r'"title": "([^"]+)"', text(board)) for board in (ROOT / "dashboards").glob("*.json")))
    )
    named = re.findall(r"(?<!\*)\*([A-Z][^*`]+)\*(?!\*)", text(page))
    alerts = text(ROOT / "dashboards" / "alerts" / "alert-rules.yaml")
    assert [name for name in named if name not in titles and f"alert: {name}" not in alerts] == []


def test_the_page_of_settings_is_what_its_program_makes() -> None:
    spec = importlib.util.spec_from_file_location("settings_page", ROOT / "docs" / "settings.py")
    assert spec is not None and spec.loader is not None
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert text(maker.PAGE) == maker.page(), "run `python docs/settings.py`"


def test_the_page_of_settings_explains_each() -> None:
    rows = table(ROOT / "docs" / "settings.md", "keyword and variable")
    told = {cells[0].split("<br>")[0]: cells[3] for cells in rows}
    assert list(told) == [*settings.Settings.__dataclass_fields__, *PROVIDERS]
    assert all(told.values())


def test_the_table_of_outcomes_has_each_once() -> None:
    assert [cells[0] for cells in table(JUDGED, "outcome")] == list(sc.OUTCOMES)


def test_the_readme_counts_the_outcomes() -> None:
    assert len(sc.OUTCOMES) == 13 and "Thirteen outcomes" in text(README)


def test_the_page_on_judging_lists_what_cancels_a_stream() -> None:
    [sentence] = re.findall(r"^`cancelled_by` says more.*?\n\n", text(JUDGED), re.MULTILINE | re.DOTALL)
    assert set(WORD.findall(sentence)) == {*get_args(sc.CancelledBy), "cancelled_by", "cancelled", "abandoned"}


def test_the_page_on_judging_lists_what_a_stream_waits_on() -> None:
    [sentence] = re.findall(r"^`waiting_on.type` is.*?\n\n", text(JUDGED), re.MULTILINE | re.DOTALL)
    assert set(WORD.findall(sentence)) == {*get_args(sc.WaitingOn), "waiting_on.type", "waiting_on.name"}


def test_the_page_on_judging_lists_who_ends_a_stream() -> None:
    assert [cells[0] for cells in table(JUDGED, "ended_by")] == list(get_args(sc.EndedBy))


def test_the_page_on_judging_has_the_rules_in_their_order() -> None:
    assert [(cells[0], cells[2]) for cells in table(JUDGED, "rule")] == [(rule.name, rule.outcome) for rule in RULES]


def test_the_page_on_judging_says_what_each_rule_waits_on() -> None:
    assert [cells[4] for cells in table(JUDGED, "rule")] == [rule.waiting for rule in RULES]


def test_the_reference_has_each_attribute() -> None:
    assert reference("attribute") == set(names("A_")) | {sc.STACK_TRACE}


def test_the_reference_has_each_metric() -> None:
    assert reference("metric") == set(names("M_"))


def test_the_reference_has_each_event() -> None:
    assert reference("event") == set(names("E_"))


def test_the_example_in_the_demos_help_names_a_scenario() -> None:
    [name] = re.findall(r"demo --only (\w+)$", demo.get_help(Context(demo)), re.MULTILINE)
    assert name in SCENARIOS


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def internal(page: Path) -> Iterator[str]:
    """The page's links into this repository."""
    return (link for link in LINK.findall(text(page)) if not re.match(r"[a-z]+:", link))


def target(page: Path, link: str) -> Path:
    path = link.partition("#")[0]
    return page.parent / path if path else page


def anchors(page: Path) -> set[str]:
    """The headings of a page, as a forge spells them in addresses."""
    headings = re.findall(r"^#+ (.+)$", text(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def names(*prefixes: str) -> Iterable[str]:
    """The public names of these sorts, such as ``A_`` for attributes."""
    return [value for name, value in vars(sc).items() if name.startswith(prefixes)]


def parents() -> set[str]:
    """What stands for several names, such as ``streamtrace.instrument``."""
    return {name.rpartition(".")[0] for name in names("A_", "M_")}


def table(page: Path, first: str) -> list[list[str]]:
    """The rows of each table whose first column has that head, without code marks."""
    rows, inside = [], False
    for line in text(page).splitlines():
        cells = (
            [cell.strip().replace("`", "") for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]
            if line[:1] == "|"
            else []
        )
        inside = bool(cells) and (inside or cells[0] == first)
        if inside and cells[0] != first and not set(line) <= set("|-"):
            rows.append(cells)
    return rows


def reference(sort: str) -> set[str]:
    return {cells[0] for cells in table(TELEMETRY, sort)}
