"""The command line as a whole: what it says of itself, its exit statuses, and that a mistake is told in a line."""

import gzip
import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autogen_streamtrace import settings
from autogen_streamtrace.cli import app

pytestmark = pytest.mark.once

COMMANDS = ("demo", "top", "diagnose", "ui", "recover", "probe", "echo", "audit", "chaos")


def run(*arguments: str, columns: int = 80) -> Result:
    return CliRunner().invoke(app, arguments, env={"COLUMNS": str(columns)}, prog_name="autogen-streamtrace")


def wrong(result: Result, *words: str) -> str:
    """The line that tells a wrong use, in which these words stand."""
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
    (line,) = [line for line in result.output.splitlines() if line.startswith("Error: ")]
    assert [word for word in words if word not in line] == []
    return line


def imported(*arguments: str) -> set[str]:
    """The modules that a command has imported at its end."""
    program = (
        "import atexit, sys; atexit.register(lambda: print(*sys.modules, sep='\\n', file=sys.stderr));"
        f"sys.argv[1:] = {arguments!r}; from autogen_streamtrace.cli import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=40)
    assert done.returncode == 0, done.stderr
    return set(done.stderr.split())


@pytest.mark.parametrize("command", [[sys.executable, "-m", "autogen_streamtrace"], ["autogen-streamtrace"]])
def test_it_says_its_version(command: list[str]) -> None:
    path = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
    done = subprocess.run(
        [*command, "--version"], env={**os.environ, "PATH": path}, capture_output=True, text=True, timeout=40
    )
    assert done.returncode == 0 and importlib.metadata.version("autogen-streamtrace") in done.stdout


@pytest.mark.parametrize("columns", [50, 80, 160])
def test_the_help_lists_every_command_with_a_whole_sentence(columns: int) -> None:
    result = run("--help", columns=columns)
    listed = result.output.partition("Commands:")[2]
    assert result.exit_code == 0 and re.findall(r"^  (\w+)", listed, re.MULTILINE) == list(COMMANDS)
    sentences = re.split(r"\n  (?=\w)", listed.strip())
    assert [each for each in sentences if not each.endswith(".") or "..." in each] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_help_has_an_example_and_the_exit_statuses(name: str) -> None:
    output = run(name, "--help").output
    example, statuses = output.partition("Example:\n")[2].split("Exit status:\n")
    assert example.strip().startswith(f"autogen-streamtrace {name} ")
    assert {line.split()[0] for line in statuses.splitlines()} == (
        {"0", "2"} if name in ("echo", "ui") else {"0", "1", "2"}
    )
    assert [line for line in output.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_help_has_no_types_and_no_nested_brackets(name: str) -> None:
    output = run(name, "--help").output
    assert re.findall(r"<\w+[^>]*>|\{|\[\[[^\]]*\]\]|…", output.replace("{service_name", "")) == []


@pytest.mark.parametrize("name", COMMANDS)
def test_a_commands_help_imports_no_library_that_its_work_needs(name: str) -> None:
    heavy = {"rich", "polars", "httpx", "pydantic", "uvicorn", "autogen_core", "opentelemetry.sdk", "plotly", "orjson"}
    assert imported(name, "--help") & heavy == set()


def test_a_command_imports_no_other_one() -> None:
    found = {
        name.split(".")[2] for name in imported("top", "--help") if name.startswith("autogen_streamtrace.commands.")
    }
    assert found & set(COMMANDS) == {"top"}


@pytest.mark.parametrize("name", ["nonsense", "tops"])
def test_an_unknown_command_is_a_wrong_use(name: str) -> None:
    wrong(run(name), name)


@pytest.mark.parametrize("command", [("top", "--once"), ("top", "--json"), ("recover",), ("recover", "--dry-run")])
@pytest.mark.parametrize("named_by", ["option", "setting"])
def test_a_directory_that_is_not_there_is_a_wrong_use(
    tmp_path: Path, command: tuple[str, ...], named_by: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(settings.variable("recorder_dir"), str(tmp_path / "typo") if named_by == "setting" else "")
    more = ("--dir", str(tmp_path / "typo")) if named_by == "option" else ()
    wrong(run(*command, *more), str(tmp_path / "typo"), "does not exist")


@pytest.mark.parametrize("command", [("top", "--once"), ("recover", "--dry-run")])
def test_a_file_in_place_of_a_directory_is_a_wrong_use(tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "file").write_text("x")
    wrong(run(*command, "--dir", str(tmp_path / "file")), "is a file")


@pytest.mark.parametrize("command", [("top", "--once"), ("top", "--json"), ("recover", "--dry-run")])
def test_a_directory_without_recorders_is_well(tmp_path: Path, command: tuple[str, ...]) -> None:
    result = run(*command, "--dir", str(tmp_path))
    assert result.exit_code == 0, result.output


def test_a_wrong_variable_of_opentelemetrys_is_a_wrong_use_of_recover(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "smoke-signals")
    wrong(run("recover", "--dir", str(tmp_path)), "OTEL_EXPORTER_OTLP_PROTOCOL", "smoke-signals")


SPANS = b'{"resourceSpans": []}\n'
NO_INPUTS = {
    "empty": b"",
    "blank": b"\n\n  \n",
    "binary": bytes(range(256)) * 40,
    "another JSON": json.dumps({"name": "a package", "list": [1]}).encode() + b"\n",
    "JSON over lines": json.dumps({"resourceSpans": []}, indent=2).encode(),
    "text": b"level=info msg=started\n" * 5,
    "an empty archive": gzip.compress(b""),
    "a torn archive": gzip.compress(SPANS * 50)[:12],
}


@pytest.mark.parametrize("content", NO_INPUTS.values(), ids=NO_INPUTS)
def test_an_input_that_diagnose_does_not_read_is_a_wrong_use(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "input").write_bytes(content)
    line = wrong(run("diagnose", str(tmp_path / "input")), str(tmp_path / "input"))
    assert line.isprintable()


def test_one_wrong_input_beside_a_good_one_is_a_wrong_use(tmp_path: Path) -> None:
    (tmp_path / "good").write_bytes(SPANS)
    (tmp_path / "empty").touch()
    wrong(run("diagnose", str(tmp_path / "good"), str(tmp_path / "empty")), "empty is empty")


@pytest.mark.parametrize("name", ["", "absent"])
def test_a_directory_or_nothing_in_place_of_a_file_is_a_wrong_use(tmp_path: Path, name: str) -> None:
    wrong(run("diagnose", str(tmp_path / name)), str(tmp_path / name))


def test_an_input_of_which_a_part_can_be_used_is_read_and_the_rest_is_told(tmp_path: Path) -> None:
    (tmp_path / "input").write_bytes(SPANS + b"nonsense\n")
    result = run("diagnose", str(tmp_path / "input"))
    assert result.exit_code == 0
    assert "1 line could not be used, wholly or in part:\n" in result.output
    assert f"{tmp_path / 'input'}:2: no JSON" in result.output


def test_a_port_that_is_taken_is_a_wrong_use_of_echo() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        wrong(run("echo", "--port", port), port, "cannot be listened on: Address already in use")
