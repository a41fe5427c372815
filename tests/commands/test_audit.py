"""`audit`: every timeout of a program, and what is wrong with them."""

import json
from pathlib import Path
from typing import Any
from weakref import WeakSet

import httpx
import pytest
import uvicorn
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.conditions import MaxMessageTermination, TimeoutTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core.tools import FunctionTool
from autogen_ext.models.openai import OpenAIChatCompletionClient
from click.testing import CliRunner
from gunicorn.config import Config  # type: ignore[import-untyped]

import autogen_streamtrace
from autogen_streamtrace.cli import app
from autogen_streamtrace.commands.audit.timeouts import Audit, Timeout
from autogen_streamtrace.core.watching.supervision import process as supervision

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def _under_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another test may have run a server in this process, which would be listed too."""
    monkeypatch.setattr(supervision, "_servers", WeakSet())


async def fetch_claim(number: str) -> str:
    return number


def client(**more: Any) -> OpenAIChatCompletionClient:
    return OpenAIChatCompletionClient(model="gpt-4o", api_key="none", **more)


def agent(name: str = "clerk", **more: Any) -> AssistantAgent:
    return AssistantAgent(name, client(**more), tools=[FunctionTool(fetch_claim, description="Fetch.")])


def named(found: Audit, setting: str) -> Timeout:
    (timeout,) = [each for each in found.timeouts if each.setting == setting]
    return timeout


def test_an_sdks_own_timeout_is_a_default() -> None:
    read = named(autogen_streamtrace.audit(client()), "read timeout")
    assert (read.seconds, read.kind, read.tries, read.layer) == (600.0, "default", 3, "model")


def test_a_timeout_of_the_program_is_explicit() -> None:
    read = named(autogen_streamtrace.audit(client(timeout=12.0, max_retries=5)), "read timeout")
    assert (read.seconds, read.kind, read.tries) == (12.0, "explicit", 6)


def test_a_timeout_that_is_switched_off_is_none() -> None:
    found = autogen_streamtrace.audit(httpx.AsyncClient(timeout=None))
    assert named(found, "read timeout").kind == "none"
    assert "waits for ever" in found.findings[0]


def test_an_http_client_of_its_own_has_httpx_defaults() -> None:
    assert named(autogen_streamtrace.audit(httpx.AsyncClient()), "read timeout").kind == "default"


def test_a_tool_without_a_bound_is_told() -> None:
    found = autogen_streamtrace.audit(agent())
    assert "agent clerk › tool fetch_claim has no bound: timeout is none; it can hang for ever." in found.findings


def test_everything_in_a_team_is_found_under_its_owner() -> None:
    team = RoundRobinGroupChat([agent("clerk"), agent("checker")], termination_condition=MaxMessageTermination(3))
    owners = {each.whose[1:] for each in autogen_streamtrace.audit(team).timeouts if each.layer in ("model", "tool")}
    assert owners == {
        (f"agent {name}", what) for name in ("clerk", "checker") for what in ("model gpt-4o", "tool fetch_claim")
    }


def test_an_inner_timeout_that_exceeds_its_outer_one_is_told() -> None:
    ends = MaxMessageTermination(3) | TimeoutTermination(60)
    found = autogen_streamtrace.audit(RoundRobinGroupChat([agent()], termination_condition=ends))
    (told,) = [each for each in found.findings if "TimeoutTermination" in each]
    assert "allows 1800 s in 3 tries" in told and "(60 s)" in told


def test_an_inner_timeout_within_its_outer_one_is_well() -> None:
    ends = TimeoutTermination(600)
    inner = agent(timeout=30.0, max_retries=1)
    found = autogen_streamtrace.audit(RoundRobinGroupChat([inner], termination_condition=ends))
    assert not [each for each in found.findings if "TimeoutTermination" in each]


def test_the_shortest_is_the_one_that_bounds_a_stream_first() -> None:
    found = autogen_streamtrace.audit(client(timeout=12.0), httpx.AsyncClient(timeout=3.0))
    assert found.shortest is not None and found.shortest.seconds == 3.0


@pytest.mark.parametrize(
    "server",
    [
        "gunicorn -k uvicorn_worker.UvicornWorker -t 60 --graceful-timeout=20 app:app",
        "python -m gunicorn -t 60 app:app",
    ],
)
def test_a_servers_timeouts_are_read_from_its_command_line(server: str) -> None:
    found = autogen_streamtrace.audit(server=server)
    timeout = named(found, "timeout")
    assert (timeout.seconds, timeout.kind, timeout.whose) == (60.0, "explicit", ("gunicorn",))


def test_a_graceful_timeout_shorter_than_a_turn_is_told() -> None:
    found = autogen_streamtrace.audit(client(), server="gunicorn app:app")
    assert any("longer than graceful_timeout of gunicorn (30 s)" in told for told in found.findings)


def test_servers_are_read_from_their_configuration_too() -> None:
    ours = uvicorn.Config("app:app", timeout_graceful_shutdown=7)
    found = autogen_streamtrace.audit(ours, Config())
    assert named(found, "timeout_graceful_shutdown").seconds == 7.0
    assert named(found, "graceful_timeout").kind == "default"


@pytest.mark.parametrize("server", ["apache2 app:app", "gunicorn -t soon app:app", "gunicorn -c absent.py app:app"])
def test_a_command_line_that_cannot_be_read_is_told(server: str) -> None:
    with pytest.raises(ValueError, match=r"apache2|soon|absent"):
        autogen_streamtrace.audit(server=server)


@pytest.mark.parametrize(
    ("server", "setting", "seconds", "kind"),
    [
        ("gunicorn --keep-alive 3 app:app", "keepalive", 3.0, "explicit"),
        ("gunicorn -t5 app:app", "timeout", 5.0, "explicit"),
        ("GUNICORN_CMD_ARGS='--graceful-timeout 7' gunicorn app:app", "graceful_timeout", 7.0, "explicit"),
        ("uv run uvicorn --timeout-keep-alive=75 app:app", "timeout_keep_alive", 75.0, "explicit"),
        ("hypercorn --keep-alive 9 app:app", "keep_alive_timeout", 9.0, "explicit"),
        ("hypercorn app:app", "graceful_timeout", 3.0, "default"),
        ("hypercorn -c hypercorn.toml app:app", "graceful_timeout", None, "unknown"),
        ("granian --workers-kill-timeout 40 app:app", "workers_kill_timeout", 40.0, "explicit"),
        ("daphne -t 60 app:app", "http_timeout", 60.0, "explicit"),
        ("daphne app:app", "http_timeout", None, "none"),
    ],
)
def test_every_servers_command_line_is_read(server: str, setting: str, seconds: float | None, kind: str) -> None:
    timeout = named(autogen_streamtrace.audit(server=server), setting)
    assert (timeout.seconds, timeout.kind) == (seconds, kind)


def test_gunicorn_reads_its_file_then_its_variable_then_its_command_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gunicorn.conf.py").write_text("timeout = 120\ngraceful_timeout = 5\nkeepalive = 75\n")
    monkeypatch.setenv("GUNICORN_CMD_ARGS", "--graceful-timeout 6 --keep-alive 76")
    found = autogen_streamtrace.audit(server="gunicorn --keep-alive 77 app:app")
    assert [(each.setting, each.seconds, each.kind) for each in found.timeouts] == [
        ("timeout", 120.0, "explicit"),
        ("graceful_timeout", 6.0, "explicit"),
        ("keepalive", 77.0, "explicit"),
    ]


@pytest.mark.parametrize("named_by", ["-c other.py", "--config=other.py", "--config file:other.py"])
def test_gunicorns_file_is_the_one_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named_by: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gunicorn.conf.py").write_text("timeout = 1\n")
    (tmp_path / "other.py").write_text("timeout = 2\n")
    assert named(autogen_streamtrace.audit(server=f"gunicorn {named_by} app:app"), "timeout").seconds == 2.0


def test_a_file_of_gunicorns_that_raises_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "gunicorn.conf.py").write_text("import os\nos.environ['ABSENT_KEY']\n")
    output, status = run("--server", "gunicorn app:app")
    assert (
        status == 2 and "gunicorn's configuration ./gunicorn.conf.py cannot be read: KeyError: 'ABSENT_KEY'" in output
    )


@pytest.mark.parametrize(
    ("expiry", "base", "told"),
    [(5.0, "", True), (5.0, "http://10.0.0.7", True), (4.0, "", False), (5.0, "https://api.example.com", False)],
)
def test_a_client_that_keeps_connections_as_long_as_a_server_of_its_own_is_told(
    expiry: float, base: str, told: bool
) -> None:
    ours = httpx.AsyncClient(base_url=base, limits=httpx.Limits(keepalive_expiry=expiry))
    found = autogen_streamtrace.audit(ours, server="uvicorn app:app")
    assert any("keepalive_expiry" in each for each in found.findings) is told


def test_a_team_that_holds_itself_ends() -> None:
    team = RoundRobinGroupChat([agent()])
    team._participants.append(team)
    assert autogen_streamtrace.audit(team).timeouts


@pytest.mark.parametrize("thing", [None, 7, "text", object(), AssistantAgent, lambda: None])
def test_what_has_no_timeouts_has_none(thing: object) -> None:
    assert autogen_streamtrace.audit(thing).timeouts == ()


PROGRAM = """
from autogen_agentchat.agents import AssistantAgent
from autogen_ext.models.openai import OpenAIChatCompletionClient

def make():
    return AssistantAgent("clerk", OpenAIChatCompletionClient(model="gpt-4o", api_key="none", timeout=9.0))

clerk = make()
"""


def run(*arguments: str) -> tuple[str, int]:
    result = CliRunner().invoke(app, ["audit", *arguments])
    return result.output, result.exit_code


@pytest.mark.parametrize("target", ["program.py", "program.py:clerk", "program.py:make"])
def test_the_command_imports_a_program(tmp_path: Path, target: str) -> None:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    output, status = run(str(tmp_path / target), "--json")
    assert status == 0 and json.loads(output)["shortest"]["seconds"] == 9.0


def test_the_command_prints_a_table_and_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM, encoding="utf-8")
    output, status = run(str(tmp_path / "program.py"), "--server", "uvicorn --timeout-graceful-shutdown 5 app:app")
    assert status == 1
    assert "agent clerk › model gpt-4o" in output and "shortest" in output and "longer than" in output


@pytest.mark.parametrize("program", ["import os\nos.environ['ABSENT_KEY']", "raise SystemExit(0)", "def f(:", "1 / 0"])
def test_a_program_that_cannot_be_imported_is_told_in_a_line(tmp_path: Path, program: str) -> None:
    (tmp_path / "program.py").write_text(program)
    output, status = run(str(tmp_path / "program.py"))
    assert status == 2 and "Traceback" not in output
    assert len([line for line in output.splitlines() if "program.py" in line and "cannot be imported" in line]) == 1


@pytest.mark.parametrize("name", ["number", "coroutine", "needs"])
def test_a_name_of_nothing_that_has_timeouts_is_a_wrong_use(tmp_path: Path, name: str) -> None:
    (tmp_path / "program.py").write_text("number = 7\nasync def coroutine(): ...\ndef needs(one): ...\n")
    assert run(f"{tmp_path / 'program.py'}:{name}")[1] == 2


@pytest.mark.parametrize("arguments", [[], ["no_such_module"], ["json"], ["json:nothing"], ["--server", "apache"]])
def test_wrong_use_ends_with_2(arguments: list[str]) -> None:
    assert run(*arguments)[1] == 2
