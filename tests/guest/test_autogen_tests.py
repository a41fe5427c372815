"""The tool that runs AutoGen's own tests both ways, with a package of our own in the place of AutoGen's."""

import importlib.metadata
import subprocess
import sys
from pathlib import Path
from typing import Final

import autogen_tests
import click
import pytest
from autogen_tests import Round, Ways

PACKAGE: Final = "autogen-agentchat"
INSTALLED: Final = importlib.metadata.version(PACKAGE)

TESTS: Final = """
import asyncio
import autogen_streamtrace
from autogen_streamtrace.instrumentor import Instrumentor

async def words():
    yield "one"

async def heard():
    return [word async for word in autogen_streamtrace.trace_stream(words(), "words")]

def test_reads_a_stream():
    assert asyncio.run(heard()) == ["one"]

def test_fails_both_ways():
    raise AssertionError

def test_fails_only_when_watched():
    assert Instrumentor().watch is None
"""

pytestmark = pytest.mark.once


def repository(folder: Path, version: str = INSTALLED) -> Path:
    """A repository with one package; returns the package."""
    package = folder / "python" / "packages" / PACKAGE
    (package / "tests").mkdir(parents=True)
    (package / "tests" / "test_own.py").write_text(TESTS)
    (package / "pyproject.toml").write_text(f'[project]\nversion = "{version}"\n[tool.pytest.ini_options]\n')
    return package


def one(outcome: str, *warnings: str) -> Round:
    """A round of one test."""
    return Round({"test": outcome}, set(warnings))


@pytest.mark.timeout(120)
def test_a_test_that_fails_only_when_watched_is_the_difference(tmp_path: Path) -> None:
    repository(tmp_path)
    command = [sys.executable, autogen_tests.__file__, str(tmp_path), "--package", PACKAGE, "--rounds", "1"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert ended.returncode == 1, ended.stdout + ended.stderr
    assert "3 tests, bare 2 passed, 1 failed" in ended.stdout
    assert "watched: 1 stream" in ended.stdout
    assert [line for line in ended.stdout.splitlines() if "DIFFERENT" in line] == [
        "  DIFFERENT tests/test_own.py::test_fails_only_when_watched: passed bare, failed watched"
    ]


def test_the_same_outcomes_both_ways_are_no_difference() -> None:
    ways = Ways([one("failed", "old"), one("failed")], [one("failed"), one("failed", "old")])
    assert list(ways.differences()) == []


def test_an_outcome_of_some_watched_rounds_is_a_difference() -> None:
    ways = Ways([one("passed"), one("passed")], [one("passed"), one("failed")])
    assert list(ways.differences()) == ["test: passed bare, failed or passed watched"]


def test_a_test_that_vanishes_when_watched_is_a_difference() -> None:
    assert list(Ways([one("passed")], [Round()]).differences()) == ["test: passed bare, not run watched"]


def test_a_test_that_is_unsteady_when_bare_is_reported_and_not_compared() -> None:
    ways = Ways([one("passed"), one("failed")], [one("failed"), one("failed")])
    assert list(ways.differences()) == []
    assert any("unsteady" in line for line in ways.report(PACKAGE, []))


def test_a_warning_of_the_watched_rounds_alone_is_a_difference() -> None:
    ways = Ways([one("passed")], [one("passed", "RuntimeWarning: never awaited")])
    assert list(ways.differences()) == ["only watched: RuntimeWarning: never awaited"]


def test_another_version_than_the_installed_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(click.BadParameter, match=rf"version 0\.4\.0.*check out python-v{INSTALLED}"):
        autogen_tests.check_version(repository(tmp_path, "0.4.0"))


def test_a_folder_that_is_no_repository_is_refused(tmp_path: Path) -> None:
    with pytest.raises(click.BadParameter, match="give the top folder of AutoGen's repository"):
        autogen_tests.check_version(tmp_path / PACKAGE)
