"""The plan of a game day: how it is read, how it is played, and what the report says of a step."""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner, Result
from dashboards.board import BOARDS, RUNBOOKS, alert_rules, panels

from autogen_streamtrace.cli import app
from autogen_streamtrace.commands.chaos.rehearsal.alerts import ALERTS
from autogen_streamtrace.commands.chaos.rehearsal.course import Course, Played
from autogen_streamtrace.commands.chaos.rehearsal.plan import Plan, Step, read
from autogen_streamtrace.commands.chaos.rehearsal.seen import show
from autogen_streamtrace.commands.chaos.verdicts import Verdicts
from autogen_streamtrace.core import semconv as sc

pytestmark = pytest.mark.once

ROOT: Final = Path(__file__).parents[2]
GAME_DAY: Final = read(ROOT / "examples" / "game-day.toml")
STEP: Final = """
[[step]]
name = "Cut"
minutes = 1
outcome = "truncated"
"""


def chaos(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["chaos", "--port", "0", *arguments])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ('faults = ["fall"]', "unknown fault 'fall'; known are none, stall"),
        ('faults = ["nginx.patience=3s"]', "unknown limit 'nginx.patience'; known are"),
        ('faults = ["stall soon=1"]', "stall: unknown option 'soon'; allowed: after, seconds"),
        ('alerts = ["TooMuch"]', "unknown alert 'TooMuch'; allowed: StreamFaultsOfOneCause1H"),
        ('ended_by = "nobody"', "unknown ended_by 'nobody'; allowed: model, upstream"),
        ('layer = "wire"', "unknown layer 'wire'; allowed: http, model"),
        ('model = "poet"', "unknown model 'poet'; allowed: ok, empty"),
        ('wish = "luck"', "unknown key 'wish'; allowed: name, do"),
        ("loop_late = 0", "loop_late = 0 is not allowed; allowed: a number above 0"),
        ('run = "python app.py"', "run = 'python app.py' is not allowed; allowed: a list of texts"),
        ("see = 3", "see = 3 is not allowed; allowed: a text"),
    ],
)
def test_what_a_plan_may_not_say_is_named_with_the_step_and_what_is_allowed(
    tmp_path: Path, wrong: str, said: str
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(STEP + STEP + wrong)
    result = chaos("--plan", str(plan))
    assert result.exit_code == 2
    assert f"plan.toml, step 2: {said}" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seed = 1", "it has no [[step]] table"),
        ('seed = "x"\n' + STEP, "seed = 'x' is not allowed; allowed: a whole number"),
        ("upstream = 3\n" + STEP, "unknown key 'upstream'; allowed: seed, step"),
        (STEP.replace('"truncated"', '"cut"'), "step 1: unknown outcome 'cut'; allowed: completed, length"),
        (STEP.replace("minutes = 1", ""), "step 1: 'minutes' is missing"),
        ("step", "plan.toml:"),
    ],
)
def test_a_file_that_is_no_plan_is_refused(tmp_path: Path, text: str, said: str) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(text)
    result = chaos("--plan", str(plan))
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_a_plan_stands_alone(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(STEP)
    assert chaos("--plan", str(plan), "--fault", "stall").exit_code == 2


def test_a_plan_that_needs_the_models_own_replies_takes_no_upstream(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(STEP + 'model = "length"')
    result = chaos("--plan", str(plan), "--upstream", "http://127.0.0.1:1")
    assert result.exit_code == 2
    assert "'Cut' needs a model that replies as 'length'" in " ".join(result.stderr.split())


def test_steps_begin_by_themselves_after_their_minutes(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(STEP.replace("minutes = 1", "minutes = 0.001") + STEP.replace("minutes = 1", "minutes = 0.001"))
    done = play(plan, "--verdicts", str(tmp_path / "never-written.jsonl"))
    assert (done.returncode, "never-written.jsonl: No such file" in done.stderr) == (2, True)  # after the report
    assert [line for line in done.stderr.splitlines() if line.startswith("Step")] == [
        "Step 1 of 2, 0.001 minutes: Cut",
        "Step 2 of 2, 0.001 minutes: Cut",
    ]
    assert [step["requests"] for step in json.loads(done.stdout)["steps"]] == [0, 0]


def test_a_step_says_what_is_done_and_where_to_look(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(
        STEP.replace("minutes = 1", "minutes = 0.001")
        + """faults = ["silent after=3"]
do = "Start it."
run = ["python app.py", "python other.py"]
alerts = ["StreamsKilled"]
panels = ["Killed", "Lost"]
runbook = "killed"
see = "Nothing."
change = "Much."
"""
    )
    told = play(plan).stderr.partition("Cut\n")[2]
    assert told.splitlines() == [
        "  fault   silent after=3",
        "  do      Start it.",
        "  run     python app.py",
        "          python other.py",
        "  ends    truncated",
        "  panels  Killed; Lost",
        "  look    Nothing.",
        "  alerts  StreamsKilled",
        "  runbook docs/runbooks/killed.md",
        "  change  Much.",
    ]


def play(plan: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """The whole plan, with nobody at a terminal."""
    command = [sys.executable, "-m", "autogen_streamtrace.cli", "chaos", "--plan", str(plan), "--port", "0", "--json"]
    return subprocess.run(
        [*command, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )


def span(at: float, **told: object) -> dict[str, Any]:
    """A stream's span that began at this second."""
    kinds = {bool: "boolValue", float: "doubleValue", str: "stringValue"}
    attributes = [{"key": f"streamtrace.{key}", "value": {kinds[type(value)]: value}} for key, value in told.items()]
    ids = {"traceId": "0" * 31 + "1", "spanId": f"{int(at * 1000):016x}"}
    times = {"startTimeUnixNano": str(int(at * 1e9)), "endTimeUnixNano": str(int((at + 1000) * 1e9))}
    return {**ids, **times, "attributes": attributes}


def report(tmp_path: Path, step: Step, *spans: Mapping[str, Any]) -> bool:
    """Whether a step that was played from second 100 to 200 was missed, among these spans."""
    file = tmp_path / "otlp.jsonl"
    scope = {"scope": {"name": sc.SCOPE}, "spans": spans}
    file.write_text(json.dumps({"resourceSpans": [{"resource": {}, "scopeSpans": [scope]}]}) + "\n")
    course = Course(Plan((step, step)), played=[Played(step, 100.0, 200.0, 12)])
    return show(course, Verdicts(str(file)), as_json=False)


CUT: Final = Step("Cut", 1, sc.TRUNCATED, sc.UPSTREAM, sc.HTTP)
AS_EXPECTED: Final[dict[str, Any]] = {"layer": "http", "outcome": "truncated", "ended_by": "upstream", "origin": True}


def test_a_step_whose_streams_ended_as_expected_was_seen(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert not report(tmp_path, CUT, span(150, **AS_EXPECTED), span(199, **AS_EXPECTED))
    assert "truncated, upstream, http  seen, 2 times" in capsys.readouterr().out


@pytest.mark.parametrize(
    "other",
    [
        span(99, **AS_EXPECTED),
        span(201, **AS_EXPECTED),
        span(150, **{**AS_EXPECTED, "outcome": "timeout"}),
        span(150, **{**AS_EXPECTED, "ended_by": "model"}),
        span(150, **{**AS_EXPECTED, "layer": "agent"}),
    ],
    ids=["before", "after", "another outcome", "by somebody else", "another layer"],
)
def test_a_step_whose_streams_ended_otherwise_or_at_another_time_was_not(
    tmp_path: Path, other: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert report(tmp_path, CUT, other)
    told = capsys.readouterr().out
    assert "not seen; " in told and "not played" in told


@pytest.mark.parametrize(("late", "missed"), [(1.5, False), (0.5, True)])
def test_a_late_loop_is_looked_for_where_the_plan_says_so(tmp_path: Path, late: float, missed: bool) -> None:
    step = Step("Blocked", 1, sc.COMPLETED, loop_late=1.0)
    assert report(tmp_path, step, span(150, layer="tool", outcome="completed", loop_late=late)) == missed


def test_the_alerts_that_a_plan_may_name_are_those_of_the_rules() -> None:
    assert set(ALERTS) == {rule["alert"] for rule in alert_rules()}


def test_the_game_day_has_every_outcome_and_lasts_an_hour() -> None:
    assert {step.outcome for step in GAME_DAY.steps} == set(sc.OUTCOMES)
    assert sum(step.minutes for step in GAME_DAY.steps) == 60


def test_every_panel_and_runbook_of_the_game_day_exists() -> None:
    titles = {panel["title"] for panel in chain(*map(panels, BOARDS.values()))}
    assert [panel for step in GAME_DAY.steps for panel in step.panels if panel not in titles] == []
    named = [step.runbook for step in GAME_DAY.steps if step.runbook]
    assert [name for name in named if not (RUNBOOKS / f"{name}.md").exists()] == []


def test_the_page_of_the_game_day_is_made_from_its_plan() -> None:
    spec = importlib.util.spec_from_file_location("game_day_page", ROOT / "docs" / "game_day.py")
    assert spec and spec.loader
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    assert maker.PAGE.read_text() == maker.page(GAME_DAY), "run `python docs/game_day.py`"
