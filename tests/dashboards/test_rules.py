"""What each alert must have, and that its runbook is there."""

import re
from typing import Any, get_args

import pytest
import yaml

from autogen_streamtrace.commands.diagnose.scene import Kind
from autogen_streamtrace.core import semconv

from .board import ALERTS, ROOT, RUNBOOKS, alert_rules, rules

pytestmark = pytest.mark.once

EACH_ALERT = pytest.mark.parametrize("rule", alert_rules(), ids=lambda rule: str(rule["alert"]))
EACH_INHIBITION = yaml.safe_load((ALERTS / "alertmanager.yaml").read_text())["inhibit_rules"]


@EACH_ALERT
def test_an_alert_says_how_bad_it_is_and_how_long_it_waits(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert re.fullmatch(r"\d+[mh]", rule["for"]) and re.fullmatch(r"\d+[mhd]", rule["keep_firing_for"])


@EACH_ALERT
def test_its_summary_names_layer_cause_and_limit(rule: dict[str, Any]) -> None:
    summary = rule["annotations"]["summary"]
    for what in ("layer|streams|turns", "cause", "limit"):
        assert re.search(what, summary), what


@EACH_ALERT
def test_its_runbook_is_there(rule: dict[str, Any]) -> None:
    url = rule["annotations"]["runbook_url"]
    outcomes = [outcome for outcome in semconv.OUTCOMES if outcome != semconv.COMPLETED]
    places = [url.replace("{{ $labels.streamtrace_outcome }}", outcome) for outcome in outcomes]
    assert all((ROOT / place).is_file() for place in places)


def test_there_is_a_runbook_for_every_verdict() -> None:
    assert {file.stem for file in RUNBOOKS.glob("*.md")} >= set(semconv.OUTCOMES) - {semconv.COMPLETED}


def test_every_runbook_is_in_the_list() -> None:
    listed = set(re.findall(r"\]\(([\w-]+)\.md\)", (RUNBOOKS / "README.md").read_text()))
    assert listed == {file.stem for file in RUNBOOKS.glob("*.md")} - {"README"}


@pytest.mark.parametrize("kind", get_args(Kind))
def test_every_kind_of_finding_leads_to_a_runbook(kind: str) -> None:
    rows = [line for line in (RUNBOOKS / "README.md").read_text().splitlines() if line.startswith("| `")]
    assert any(f"`{kind}`" in row.split("|")[1] for row in rows)


def test_no_link_in_a_runbook_is_dead() -> None:
    for file in RUNBOOKS.glob("*.md"):
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", file.read_text()):
            assert link.startswith("https://") or (file.parent / link).exists(), f"{file.name}: {link}"


def test_each_name_is_given_once() -> None:
    given = [rule["alert"] for rule in alert_rules()]
    assert len(set(given)) == len(given)


def test_grafanas_file_has_every_alert_with_the_same_query() -> None:
    (group,) = yaml.safe_load((ALERTS / "grafana-alert-rules.yaml").read_text())["groups"]
    found = {rule["title"]: rule["data"][0]["model"]["expr"] for rule in group["rules"]}
    assert found == {rule["alert"]: rule["expr"] for rule in alert_rules()}


def test_a_turns_alert_is_kept_back_only_by_what_wakes_as_many() -> None:
    kept_back = {
        (origin, turns)
        for each in EACH_INHIBITION
        for origin in severities(each["source_matchers"], "origin")
        for turns in severities(each["target_matchers"], "turns")
    }
    assert kept_back == {("page", "page"), ("page", "ticket"), ("ticket", "ticket")}
    assert all(each["equal"] == ["job", "deployment_environment_name"] for each in EACH_INHIBITION)


def severities(matchers: list[str], scope: str) -> list[str]:
    assert f'scope="{scope}"' in matchers
    (pattern,) = [found for each in matchers for found in re.findall(r'severity=~"([^"]*)"', each)]
    return str(pattern).split("|")


def test_alerts_of_both_scopes_share_the_labels_that_inhibition_compares() -> None:
    scoped = [rule for rule in alert_rules() if "scope" in rule["labels"] and rule["alert"] != "EventLoopBlocked"]
    assert {rule["labels"]["scope"] for rule in scoped} == {"origin", "turns"}
    assert all("by (job, deployment_environment_name" in rule["expr"] for rule in scoped)


def test_no_recording_is_made_after_it_is_read() -> None:
    made: set[str] = set()
    for rule in rules("recording-rules.yaml"):
        read = set(re.findall(r"streamtrace:[a-z_]+:[a-z0-9]+", rule["expr"]))
        assert read <= made, rule["record"]
        made.add(rule["record"])
