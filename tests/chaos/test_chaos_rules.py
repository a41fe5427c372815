"""Whom a fault strikes, and what is said of a rule that cannot be used."""

import io
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner
from rich.console import Console

from autogen_streamtrace.cli import app
from autogen_streamtrace.commands.chaos import report
from autogen_streamtrace.commands.chaos.faults import FAULTS
from autogen_streamtrace.commands.chaos.rules import Rule, RuleError, Rules
from autogen_streamtrace.commands.chaos.table import table
from autogen_streamtrace.commands.chaos.tally import Tally
from autogen_streamtrace.commands.chaos.verdicts import Verdicts
from autogen_streamtrace.commands.chaos.wire.message import Request
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.limits import builtin

pytestmark = pytest.mark.once


def request(model: str = "gpt-4o", path: str = "/v1/responses", **headers: str) -> Request:
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    return Request("POST", path, "1.1", lines, json.dumps({"model": model}).encode())


def struck(rules: Rules, *requests: Request) -> list[str]:
    chosen = [rules.choose(each) for each in requests]
    return [rule.fault.name if rule else "" for rule in chosen]


def test_every_nth_request_is_struck() -> None:
    rules = Rules([Rule.of("fin every=3")])
    assert struck(rules, *[request()] * 6) == ["", "", "fin", "", "", "fin"]


def test_a_seed_makes_dice_repeatable() -> None:
    def thrown(seed: int) -> list[str]:
        return struck(Rules([Rule.of("fin probability=0.3")], seed), *[request()] * 200)

    assert thrown(7) == thrown(7) != thrown(8)
    assert 30 < thrown(7).count("fin") < 90


@pytest.mark.parametrize("condition", ["model=gpt-*", "path=*/responses", "header=x-tenant:ac*"])
def test_a_condition_chooses_whom(condition: str) -> None:
    theirs = request(**{"x-tenant": "acme"})
    other = request("claude", "/v1/messages", **{"x-tenant": "other"})
    assert struck(Rules([Rule.of(f"rst {condition}")]), theirs, other) == ["rst", ""]


def test_the_first_rule_that_strikes_counts() -> None:
    rules = Rules([Rule.of("fin every=2"), Rule.of("rst")])
    assert struck(rules, request(), request()) == ["rst", "fin"]


def test_a_request_asks_for_its_own_fault() -> None:
    rules = Rules([Rule.of("rst")])
    assert struck(rules, request(**{"x-streamtrace-fault": "none"})) == ["none"]


def test_a_request_that_asks_for_its_own_fault_sets_no_conditions() -> None:
    with pytest.raises(RuleError, match="leave out probability, every"):
        Rules().choose(request(**{"x-streamtrace-fault": "fin every=2"}))


WRONG = {
    "fim": "unknown fault 'fim'; known are none, stall",
    "nginx.nope=3s": "unknown limit 'nginx.nope'; known are nginx.proxy_read_timeout",
    "openai.read_timeout=3s": "strikes inside the client's own process",
    "uvicorn.ws_ping_timeout=3s": "uvicorn.ws_ping_timeout cuts WebSockets, which do not pass",
    "caddy.read_timeout": "it has no default; write caddy.read_timeout=60s",
    "stall after=soon": "'soon' is no place; allowed: a number of events (5)",
    "stall size=3": "unknown option 'size'; allowed: after, seconds",
    "fin probability=2": "probability=2 is not allowed; allowed: a number from 0 to 1",
    "fin every=0": "every=0 is not allowed; allowed: a whole number from 1",
    "fin header=x": "header=x is not allowed; write NAME:PATTERN",
    "fin soon": "'soon' is no option; write key=value",
    "stall seconds=long": "'long' is no time; write 3s, 250ms or 2m",
    "nginx.proxy_read_timeout=-1s": "'-1s' is no time",
    "stall seconds=3 seconds=4": "seconds is said twice",
    " ": "' ' names no fault",
    "fin probability=often": "probability=often is not allowed; allowed: a number from 0 to 1",
    "drip size=many": "size=many is not allowed",
    "drip pause=many": "'many' is no time",
}


@pytest.mark.parametrize("said", WRONG)
def test_a_rule_that_cannot_be_used_says_what_is_allowed(said: str) -> None:
    with pytest.raises(RuleError) as raised:
        Rule.of(said)
    assert WRONG[said] in str(raised.value)


SCENARIOS = {
    "": "it has no [[fault]] table",
    "fault = 3": "it has no [[fault]] table",
    "sed = 3": "unknown key 'sed'; allowed: seed, upstream, fault",
    "[[fault]]\nname = 'fin'\nlike = 'x'": "fault 1: write either name = a fault, or like = a limit",
    "[[fault]]\nname = 'fin'\n[[fault]]\nlike = 'nginx.nope'": "fault 2: unknown limit 'nginx.nope'",
    "seed = 'x'": "seed = 'x' is not allowed",
    "[[fault": "scenario.toml: ",
}


@pytest.mark.parametrize("text", SCENARIOS)
def test_a_scenario_that_cannot_be_used_names_the_file_and_the_table(tmp_path: Path, text: str) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(text)
    result = CliRunner().invoke(app, ["chaos", "--port", "0", "--scenario", str(file)])
    assert (result.exit_code, SCENARIOS[text] in result.output, "scenario.toml" in result.output) == (2, True, True)


OPTIONS: dict[str, tuple[list[str], str]] = {
    "down": (["--upstream", "http://127.0.0.1:9"], "http://127.0.0.1:9 cannot be reached"),
    "scheme": (["--upstream", "ftp://x"], "'ftp://x' is no http or https URL"),
    "port": (["--upstream", "http://model:99999"], "'http://model:99999': Port out of range"),
    "key": (["--cert", "x"], "--cert and --key belong together"),
    "no certificate": (["--cert", __file__, "--key", __file__], "no certificate and its key, in PEM"),
    "no file": (["--verdicts", "/nowhere/otlp.jsonl"], "/nowhere/otlp.jsonl: there is no folder /nowhere"),
    "a folder": (["--verdicts", "/"], "/: a folder, not a file"),
    "no URL": (["--verdicts", "ftp://x"], "ftp://x is no http or https URL"),
    "no store": (["--verdicts", "http://127.0.0.1:9"], "http://127.0.0.1:9: ConnectError"),
    "host": (["--host", "203.0.113.1"], "203.0.113.1 port 0 cannot be listened on"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_wrong_option_is_told_by_name(name: str) -> None:
    arguments, words = OPTIONS[name]
    result = CliRunner().invoke(app, ["chaos", "--port", "0", *arguments])
    assert (result.exit_code, words in result.output) == (2, True), result.output


def test_a_run_of_a_scenario_ends_with_its_report(tmp_path: Path) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text("[[fault]]\nname = 'http_429'\nretry_after = 2\n[[fault]]\nlike = 'nginx.upstream'\n")
    command = [sys.executable, "-m", "autogen_streamtrace", "chaos", "--port", "0", "--scenario", str(file), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = process.stderr.readline().split()[0]
        answer = httpx.post(f"{url}/v1/chat/completions", json={"model": "secret-model"}, trust_env=False, timeout=20)
        os.kill(process.pid, signal.SIGINT)
        told, _ = process.communicate(timeout=40)
    assert (answer.status_code, answer.headers["retry-after"], process.returncode) == (429, "2", 0)
    assert json.loads(told)["faults"] == [{"fault": "http_429", "requests": 1, "ends": {"struck": 1}, "missed": 0}]


def test_the_list_has_every_fault_and_every_limit_with_those_that_cannot_be_played() -> None:
    told = CliRunner().invoke(app, ["chaos", "--list"]).stdout
    assert [name for name in (*FAULTS, *(limit.id for limit in builtin())) if name not in told] == []
    assert "Not played: it strikes inside the client's own process" in told


def test_a_narrow_terminal_shows_how_each_ended() -> None:
    tally = Tally()
    fault = "nginx.proxy_read_timeout"
    tally.begin("gpt-4o-2024-08-06", "/v1/chat/completions", fault, "after 6 events", "").end = "struck"
    shown = io.StringIO()
    Console(file=shown, width=80).print(table(list(tally.done), 1))
    assert re.search(r"\d\d:\d\d:\d\d .* after 6 events +struck +0", shown.getvalue())


TRACE, SPAN = "a" * 32, "b" * 16


def test_verdicts_of_the_page_need_its_store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGEN_STREAMTRACE_UI_STORE", str(tmp_path))
    result = CliRunner().invoke(app, ["chaos", "--port", "0", "--verdicts", "ui"])
    assert (result.exit_code, str(tmp_path) in result.output, "`autogen-streamtrace ui` makes it" in result.output) == (
        2,
        True,
        True,
    )


def told_as(outcome: str, tmp_path: Path) -> Verdicts:
    """Telemetry of one HTTP exchange, as a span."""
    ids = {"traceId": TRACE, "spanId": "c" * 16, "parentSpanId": SPAN}
    span = {**ids, "name": "http", "startTimeUnixNano": "1", "endTimeUnixNano": "2"}
    return written(tmp_path, "Spans", "spans", span | {"attributes": ended("http", outcome)})


def ended(layer: str, outcome: str) -> list[Any]:
    said = {sc.A_LAYER: layer, sc.A_OUTCOME: outcome, sc.A_ENDED_BY: "upstream"}
    attributes: list[Any] = [{"key": key, "value": {"stringValue": value}} for key, value in said.items()]
    truths = {sc.A_EARLY: outcome != sc.COMPLETED, sc.A_OUTERMOST: layer != "http"}
    return [*attributes, *({"key": key, "value": {"boolValue": value}} for key, value in truths.items())]


def written(tmp_path: Path, signal: str, items: str, *told: Any) -> Verdicts:
    """A file of telemetry."""
    scope = {"scope": {"name": sc.SCOPE}, items: told}
    file = tmp_path / "otlp.jsonl"
    file.write_text(json.dumps({f"resource{signal}": [{"resource": {}, f"scope{signal}": [scope]}]}) + "\n")
    return Verdicts(str(file))


def test_log_events_tell_of_an_exchange_by_its_trace_and_of_one_that_was_whole_by_its_turn(tmp_path: Path) -> None:
    """They name no parent: a retry after half a second is in the same trace."""
    tally = Tally()
    for at, seconds in ((1000.0, 0.4), (1000.9, 0.2)):
        done = tally.begin("gpt-4o", "/v1/responses", "fin", "after 6 events", f"00-{TRACE}-{SPAN}-01")
        done.started, done.seconds = at, seconds
    records = [
        {"timeUnixNano": f"{at}000000", "traceId": TRACE, "spanId": span * 16, "attributes": ended(layer, outcome)}
        for at, span, layer, outcome in (
            ("1000401", "c", "http", sc.DISCONNECTED),
            ("1001102", "d", "model", sc.COMPLETED),
        )
    ]
    found = written(tmp_path, "Logs", "logRecords", *records).of(tally.done)
    assert {number: verdict.outcome for number, verdict in found.items()} == {1: sc.DISCONNECTED, 2: sc.COMPLETED}


@pytest.mark.parametrize(("outcome", "missed"), [(sc.DISCONNECTED, False), (sc.COMPLETED, True)])
def test_the_report_says_what_the_telemetry_says_of_a_cut(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], outcome: str, missed: bool
) -> None:
    tally = Tally()
    tally.begin("gpt-4o", "/v1/responses", "fin", "after 6 events", f"00-{TRACE}-{SPAN}-01").end = "struck"
    assert report.show(tally, told_as(outcome, tmp_path), as_json=False) is missed
    assert f"{outcome}, upstream" in capsys.readouterr().out


def test_a_cut_of_which_the_telemetry_has_nothing_is_a_finding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tally = Tally()
    tally.begin("gpt-4o", "/v1/responses", "fin", "after 6 events", "").end = "struck"
    assert report.show(tally, told_as(sc.DISCONNECTED, tmp_path), as_json=False)
    assert "1 of 1 requests had no `traceparent`" in capsys.readouterr().out
