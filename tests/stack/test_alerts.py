"""Each alert fires on its case, says what it must, and nothing fires on a healthy day: `promtool test rules`."""

import subprocess
from pathlib import Path
from typing import Any, Final

import pytest
import yaml
from binaries import binary
from dashboards.board import ALERTS, rules

from .alert_cases import (
    DAY,
    FIRES,
    HALF_AN_HOUR_IN,
    HEALED,
    HEALTHY,
    JOB,
    LOST,
    NO_MOMENT,
    TIMEOUT,
    Fires,
    Series,
    cut,
    one,
    stream,
    turns,
)

RECORDINGS: Final = ALERTS / "recording-rules.yaml"
ALERT_RULES: Final = ALERTS / "alert-rules.yaml"
RULES: Final = {rule["alert"]: rule for rule in rules("alert-rules.yaml")}

pytestmark = pytest.mark.timeout(120)


def promtool(
    folder: Path, test: dict[str, Any], *files: Path, evaluated: str = "1m"
) -> subprocess.CompletedProcess[str]:
    """Run one unit test of rules, which are evaluated that often."""
    document = {
        "rule_files": [str(file) for file in files],
        "evaluation_interval": evaluated,
        "group_eval_order": ["autogen-streamtrace-recordings", "autogen-streamtrace-promql"],
        "tests": [{"interval": "1m", **test}],
    }
    (folder / "test.yaml").write_text(yaml.safe_dump(document, width=1000))
    command = [str(binary("promtool")), "test", "rules", "test.yaml"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=100, check=False)


def given(series: Series) -> list[dict[str, str]]:
    return [{"series": name.replace("'", '"'), "values": values} for name, values in series.items()]


def silent(series: Series, *at: str, alerts: tuple[str, ...] = tuple(RULES)) -> dict[str, Any]:
    """A test in which none of these alerts fires."""
    asked = [{"eval_time": when, "alertname": alert, "exp_alerts": []} for alert in alerts for when in at]
    return {"input_series": given(series), "alert_rule_test": asked}


def fires(case: Fires) -> dict[str, Any]:
    rule = RULES[case.alert]
    url = rule["annotations"]["runbook_url"]
    outcome = case.labels.get("streamtrace_outcome", "")
    expected = {
        "exp_labels": {**JOB, **case.labels, **rule["labels"]},
        "exp_annotations": {
            "summary": case.summary,
            "description": rule["annotations"]["description"],
            "runbook_url": url.replace("{{ $labels.streamtrace_outcome }}", outcome),
        },
    }
    asked = {"eval_time": case.at, "alertname": case.alert, "exp_alerts": [expected]}
    return {"input_series": given(case.series), "alert_rule_test": [asked]}


@pytest.mark.parametrize("case", FIRES, ids=lambda case: case.alert)
def test_an_alert_fires_on_its_case(case: Fires, tmp_path: Path) -> None:
    files = (RECORDINGS, ALERT_RULES) if case.chain else (ALERT_RULES,)
    done = promtool(tmp_path, fires(case), *files)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_its_case() -> None:
    assert {case.alert for case in FIRES} == set(RULES)


def test_nothing_fires_on_a_healthy_day(tmp_path: Path) -> None:
    healthy = silent(HEALTHY, "30m", "2h", "12h", f"{DAY}m")
    done = promtool(tmp_path, healthy, RECORDINGS, ALERT_RULES, evaluated="5m")
    assert done.returncode == 0, done.stdout + done.stderr


def test_attempts_that_a_retry_heals_wake_nobody(tmp_path: Path) -> None:
    waking = tuple(name for name, rule in RULES.items() if rule["labels"]["severity"] == "page")
    done = promtool(tmp_path, silent(HEALED, "60m", "120m", alerts=waking), RECORDINGS, ALERT_RULES)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("series", NO_MOMENT.values(), ids=NO_MOMENT)
def test_what_does_not_end_at_one_moment_is_not_told_so(series: Series, tmp_path: Path) -> None:
    times = [f"{minute}m" for minute in range(28, 45)]
    done = promtool(tmp_path, silent(series, *times, alerts=("StreamsEndedAtOneMoment",)), RECORDINGS, ALERT_RULES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_moment_that_some_workers_report_a_minute_later_than_others_is_one(tmp_path: Path) -> None:
    series: Series = {}
    for worker in range(20):
        its_own = {"instance": f"worker-{worker}"}
        late = worker % 2
        series |= one("streamtrace_open", f"2x{30 + late} 0x90", stream(layer="http", name="api.example"), its_own)
        series |= cut(f"0x{30 + late} 2x90", LOST, its_own)
    test = silent(series, "34m", alerts=("StreamsEndedAtOneMoment",))
    done = promtool(tmp_path, test, RECORDINGS, ALERT_RULES)
    assert done.returncode == 1 and "40 http streams of api.example" in done.stdout + done.stderr


def test_what_fires_goes_on_firing_through_a_short_pause(tmp_path: Path) -> None:
    """`keep_firing_for` bridges five minutes without a fault."""
    paused = f"{HALF_AN_HOUR_IN} 90x10"
    series = {**turns("0+1x130", paused), **cut(paused, TIMEOUT)}
    asked = {"eval_time": "126m", "alertname": "TurnFaultsBurnBudget1H"}
    test = {"input_series": given(series), "alert_rule_test": [{**asked, "exp_alerts": []}]}
    done = promtool(tmp_path, test, RECORDINGS, ALERT_RULES)
    assert "TurnFaultsBurnBudget1H" in done.stdout + done.stderr and done.returncode == 1


def counted(folder: Path, series: Series, at: str, expr: str) -> subprocess.CompletedProcess[str]:
    value, asked = expr.split(" == ", 1)
    test = {
        "input_series": given(series),
        "promql_expr_test": [{"expr": asked, "eval_time": at, "exp_samples": [{"value": float(value)}]}],
    }
    return promtool(folder, test, RECORDINGS)


FLEET: Final = {
    name: values
    for worker in range(20)
    for name, values in one(
        "streamtrace_cut_total", f"_x{10 + worker % 3} 1 1 stale", TIMEOUT, {"instance": f"worker-{worker}"}
    ).items()
}
"""Twenty workers that live two minutes and have one cut each, the 0 before it lost."""


@pytest.mark.parametrize("window", ["5m", "30m", "1h"])
def test_twenty_short_lived_workers_with_one_cut_each_are_twenty(window: str, tmp_path: Path) -> None:
    done = counted(tmp_path, FLEET, "14m", f"20 == sum(streamtrace:stream_faults:increase{window})")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("window", ["2h", "6h", "1d", "3d"])
def test_longer_windows_count_them_too(window: str, tmp_path: Path) -> None:
    done = counted(tmp_path, FLEET, "30m", f"20 == sum(streamtrace:stream_faults:increase{window})")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("faults", "labels"),
    [
        (0, stream(outcome="length", ended_by="model")),
        (0, stream(outcome="filtered", ended_by="model")),
        (0, stream(outcome="cancelled", ended_by="caller", cancelled_by="task")),
        (0, stream(outcome="abandoned", ended_by="end_user", cancelled_by="disconnect")),
        (3, stream(outcome="cancelled", ended_by="caller", cancelled_by="deadline")),
        (3, stream(outcome="truncated", ended_by="upstream")),
        (3, stream(outcome="killed", ended_by="process")),
        (3, stream(layer="http", outcome="failed", ended_by="caller")),
        (0, stream(layer="agent", outcome="failed", ended_by="caller")),
        (0, stream(layer="http", outcome="cancelled", ended_by="caller", cancelled_by="task")),
    ],
    ids=str,
)
def test_what_is_a_fault_is_what_the_contract_calls_one(faults: int, labels: dict[str, str], tmp_path: Path) -> None:
    series = cut("0x10 3x10", stream(layer="model"), labels)
    asked = f"{faults} == sum(streamtrace:stream_faults:increase5m or streamtrace:stream_cuts:increase5m * 0)"
    done = counted(tmp_path, series, "12m", asked)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_process_that_was_silent_for_an_hour_is_not_counted_anew(tmp_path: Path) -> None:
    series = cut("0+1x100 _x60 101x20", TIMEOUT)
    done = counted(tmp_path, series, "163m", "1 == sum(streamtrace:stream_faults:increase5m)")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_shipped_rules_pass_promtools_own_check() -> None:
    command = [
        str(binary("promtool")),
        "check",
        "rules",
        "--lint=all",
        "--lint-fatal",
        str(RECORDINGS),
        str(ALERT_RULES),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
