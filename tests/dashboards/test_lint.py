"""What Grafana's dashboard-linter asks, and a little more."""

import re
from typing import Any

import pytest

from .board import BOARDS, RANGES, Target, panels, targets, variables

pytestmark = pytest.mark.once

ALL_PANELS = [
    pytest.param(panel, id=f"{name} {panel['id']}: {panel['title']}")
    for name, board in BOARDS.items()
    for panel in panels(board)
]
PROMETHEUS = [
    pytest.param(target, id=f"{target.board}: {target.panel} {at}") for at, target in enumerate(targets("prometheus"))
]
EACH_BOARD = pytest.mark.parametrize("board", BOARDS.values(), ids=BOARDS.keys())
EACH_PANEL = pytest.mark.parametrize("panel", ALL_PANELS)
EACH_QUERY = pytest.mark.parametrize("target", PROMETHEUS)

SELECTOR = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)?\{([^{}]*)\}(\[[^\]]*\])?")
UNITS = {"short", "percentunit", "s", "cps", "cpm", "none", "string"}
WITHOUT_INSTANCE = {"streamtrace:turns:objective"}
"""Series that belong to no process."""


@EACH_BOARD
def test_the_data_sources_are_variables(board: dict[str, Any]) -> None:
    chosen = {name: each for name, each in variables(board).items() if each["type"] == "datasource"}
    assert all(name == f"{each['query']}_datasource" for name, each in chosen.items())
    assert all(each["label"] == f"{each['query'].title()} data source" for each in chosen.values())
    used = set(re.findall(r'"uid": ?"([^"]*datasource[^"]*)"', str(board).replace("'", '"')))
    assert used == {f"${{{name}}}" for name in chosen}


@EACH_BOARD
@pytest.mark.parametrize("name", ["job", "instance"])
def test_job_and_instance_are_variables(board: dict[str, Any], name: str) -> None:
    variable = variables(board)[name]
    assert variable["datasource"]["uid"] == "${prometheus_datasource}" and variable["type"] == "query"
    assert variable["label"] == name.title() and variable["multi"] and variable["allValue"] == ".+"


@EACH_BOARD
def test_what_everybody_compares_is_a_variable(board: dict[str, Any]) -> None:
    assert {"environment", "service", "version"} <= set(variables(board))


def test_agent_model_and_streamed_are_variables_where_streams_are_looked_at() -> None:
    for name in ("ending-early.json", "one-path.json"):
        assert {"agent", "model", "streamed"} <= set(variables(BOARDS[name]))


@EACH_BOARD
def test_variables_follow_the_time_range(board: dict[str, Any]) -> None:
    assert all(each["refresh"] == 2 for each in variables(board).values() if each["type"] == "query")


@EACH_BOARD
def test_no_variable_is_dead(board: dict[str, Any]) -> None:
    asked = str([panels(board), board["annotations"], board["templating"]])
    dead = [name for name in variables(board) if not re.search(rf"\$({name}\b|{{{name}[}}:])", asked)]
    assert not dead


@EACH_BOARD
def test_every_variable_that_is_used_is_there(board: dict[str, Any]) -> None:
    asked = str([panels(board), board["annotations"], board["templating"]])
    names = {one or two for one, two in re.findall(r"\$(?:(\w+)|\{(\w+)[^}]*\})", asked)}
    assert {name for name in names if not name.startswith("__")} <= set(variables(board))


@EACH_BOARD
def test_a_dashboard_is_not_editable(board: dict[str, Any]) -> None:
    assert board["editable"] is False


@EACH_BOARD
def test_deploys_are_annotations(board: dict[str, Any]) -> None:
    assert any("service_version" in each["expr"] for each in board["annotations"]["list"])


@EACH_BOARD
def test_panels_have_numbers_of_their_own(board: dict[str, Any]) -> None:
    numbers = [panel["id"] for panel in board["panels"]]
    assert len(set(numbers)) == len(numbers) and all(numbers)


@EACH_PANEL
def test_a_panel_has_a_title_a_sentence_and_a_unit(panel: dict[str, Any]) -> None:
    assert panel["title"] and panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS


@EACH_PANEL
def test_lines_and_bars_say_what_they_are_and_are_not_clipped(panel: dict[str, Any]) -> None:
    if panel["type"] == "timeseries":
        assert panel["options"]["legend"]["showLegend"]
        below = any(str(target.get("expr", "")).startswith("-1 *") for target in panel["targets"])
        assert not below or "min" not in panel["fieldConfig"]["defaults"]


@EACH_PANEL
def test_a_panel_asks_something_of_a_chosen_data_source(panel: dict[str, Any]) -> None:
    assert panel["targets"]
    for target in panel["targets"]:
        kind = target["datasource"]["type"]
        assert target["datasource"]["uid"] == f"${{{kind}_datasource}}" == panel["datasource"]["uid"]


@EACH_PANEL
def test_the_queries_of_a_panel_have_letters_of_their_own(panel: dict[str, Any]) -> None:
    letters = [target["refId"] for target in panel["targets"]]
    assert len(set(letters)) == len(letters) and all(letters)


@EACH_QUERY
def test_every_selector_obeys_job_and_instance(target: Target) -> None:
    for metric, matchers, _ in SELECTOR.findall(target.query):
        assert 'job=~"$job"' in matchers or 'job=~"$collector"' in matchers, metric
        assert 'instance=~"$instance"' in matchers or 'instance=~"$collector_instance"' in matchers, metric
    bare = set(re.findall(r"\b(?:autogen|gen_ai|otelcol)[a-z_:0-9]*\b(?![{a-z_:0-9])", without_labels(target.query)))
    assert bare <= WITHOUT_INSTANCE


def without_labels(query: str) -> str:
    """A query without matchers and without the labels of `by` and `on`."""
    return re.sub(r"(by|on|group_left) \([^)]*\)", "", SELECTOR.sub(r"\1{\3", query))


@EACH_QUERY
def test_a_rate_reaches_as_far_as_grafana_says(target: Target) -> None:
    for window in re.findall(r"\b(?:rate|irate|increase)\(.*?\[([^\]]*)\]", target.query):
        assert window in ("$__rate_interval", "$__range")


@EACH_QUERY
def test_a_counter_is_read_by_rate_or_exactly(target: Target) -> None:
    for found in SELECTOR.finditer(target.query):
        if (found[1] or "").endswith(("_total", "_count", "_sum", "_bucket")):
            before = target.query[: found.start()]
            assert found[3] and re.search(r"(rate|increase|last_over_time)\($", before), found[0]


def test_a_log_query_over_time_lets_grafana_choose_the_window() -> None:
    windows = [re.findall(r"\[([^\]]*)\]", target.query) for target in targets("loki")]
    assert {each for found in windows for each in found} == {"$__auto"}


def test_the_cuts_have_exemplars() -> None:
    shown = [
        target["expr"]
        for board in BOARDS.values()
        for panel in panels(board)
        for target in panel["targets"]
        if target.get("exemplar")
    ]
    assert any("streamtrace_cut_total" in expr for expr in shown)
    assert all("streamtrace:" not in expr for expr in shown), "a recorded series has no exemplars"


def test_links_lead_to_dashboards_and_variables_that_exist() -> None:
    known = {board["uid"]: set(variables(board)) for board in BOARDS.values()}
    urls = re.findall(r"/d/[^'\"]+", str(BOARDS).replace('\\"', ""))
    assert urls
    for url in urls:
        uid = re.match(r"/d/([\w-]+)", url)
        assert uid and uid[1] in known
        asked = set(re.findall(r"[?&]var-(\w+)=", url)) | set(re.findall(r"\$\{(\w+):queryparam\}", url))
        assert asked and asked <= known[uid[1]]


def test_the_dashboards_link_to_each_other_by_a_tag_that_all_have() -> None:
    for board in BOARDS.values():
        (link,) = board["links"]
        assert set(link["tags"]) <= set(board["tags"]) and link["includeVars"] and link["keepTime"]


def test_every_variable_of_grafanas_own_is_known_here() -> None:
    used = {name for target in targets() for name in re.findall(r"\$__\w+", target.query)}
    assert used <= set(RANGES)
