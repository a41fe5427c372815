"""The plugin, as pytest runs it for a user; and the ten tests of the examples."""

import faulthandler
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import pytest

pytestmark = [pytest.mark.once, pytest.mark.timeout(240)]

HERE: Final = Path(__file__).parent
EXAMPLES: Final = HERE.parents[1] / "examples"


def run(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    """Runs pytest as a user does, without the settings of this repository."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-c", os.devnull, "-q", *arguments]
    env = {**os.environ, "COLUMNS": "160", **environment}
    for name in ("PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER", "PYTEST_XDIST_WORKER_COUNT"):
        env.pop(name, None)
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=200, cwd=EXAMPLES)


def test_a_users_tests_end_as_they_should_and_tell_their_turns() -> None:
    told = run("-n", "1", "--streamtrace-report", "--tb=short", str(HERE / "suite_of_a_user.py")).stdout
    assert "1 failed, 9 passed" in told
    failure = told.partition("FAILURES")[2].partition("= streams =")[0]
    assert "agent clerk ended: truncated, by upstream" in failure
    assert "\n  model gpt-4o ended: truncated" in failure and "\n    http 127.0.0.1 ended: truncated" in failure
    assert "testing/streams.py" not in failure  # what fails is the test's line
    report = told.partition("= streams =")[2]
    assert "::test_passes_async\n" in report and "agent clerk ended: rejected, by upstream" in report


def test_nothing_but_pytest_is_imported_until_a_fixture_is_used(tmp_path: Path) -> None:
    suite = tmp_path / "test_nothing.py"
    suite.write_text(
        "import sys\ndef test_nothing():\n    found = set(sys.modules)\n"
        "    assert 'autogen_streamtrace.testing.plugin' in found\n"
        "    assert not found & {'opentelemetry', 'httptools', 'click', 'autogen_streamtrace.testing.streams'}\n"
    )
    done = run(str(suite))
    assert "1 passed" in done.stdout, done.stdout


def test_the_ten_tests_pass_for_the_right_example_and_fail_for_the_wrong_one() -> None:
    faulthandler.cancel_dump_traceback_later()  # on a loaded machine two such runs take a minute
    with ThreadPoolExecutor() as threads:
        right, wrong = threads.map(
            lambda example: run("--tb=line", "test_streams.py", STREAMTRACE_EXAMPLE=example), ("right", "wrong")
        )
    assert "10 passed" in right.stdout, right.stdout
    assert "10 failed" in wrong.stdout, wrong.stdout
