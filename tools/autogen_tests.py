"""A framework's own tests, bare and under ``instrument()``, compared test by test.

    python tools/autogen_tests.py PATH_TO_REPOSITORY [--rounds 2] [--package autogen-core]

The repository is a copy of https://github.com/microsoft/autogen at the tag of the AutoGen that is installed, or of
https://github.com/microsoft/agent-framework at that of the Agent Framework that is installed. Nothing
leaves the machine and no key is used: a test that needs either fails, or is skipped, in both ways. The exit status is
0 where no test differs, no warning is new, and streams were watched at all.
"""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

PACKAGES: Final = (("autogen-agentchat", "autogen-core", "autogen-ext"), ("core", "openai", "orchestrations"))
"""Those of AutoGen, and those of Agent Framework."""
REPLACED: Final = re.compile(r"tests/core/test_observability\.py::|tests/core/test_tools\.py::\w*telemetry")
"""Tests of Agent Framework that look at its own spans and metrics, which ours replace: they are not compared."""
ALONE: Final = {"autogen-ext": "tests/tools/test_mcp_actor.py"}
"""Replaces ``atexit.register`` when it is imported, so that other files' tests fail: it has a process of its own."""

WORST: Final = ("passed", "skipped", "failed")
"""A test's outcome is the worst of its phases."""
LEAKS: Final = ("RuntimeWarning", "ResourceWarning", "PytestUnraisableExceptionWarning")
"""Warnings that tell of what was never awaited, never closed, or failed while it was finalised."""

TEST_TIMEOUT: Final = 60
"""Seconds that one test may take."""
PACKAGE_TIMEOUT: Final = 1800
"""Seconds that all tests of a package may take."""

OPTIONS: Final = (
    *("-q", "--tb=short", "--continue-on-collection-errors", f"--timeout={TEST_TIMEOUT}", "-p", "no:cacheprovider"),
    *("-W", "always::RuntimeWarning", "-W", "always::ResourceWarning"),
)

EVERYTHING: Final = {
    "AUTOGEN_STREAMTRACE_BAGGAGE": "tenant",
    "AUTOGEN_STREAMTRACE_EVENTS": "all",
    "AUTOGEN_STREAMTRACE_STALL_AFTER": "0.1",
    "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "SPAN_AND_EVENT",
}
"""Settings of every second watched round, so that as much of our code as can be runs in it."""

CLOSED: Final = "http://127.0.0.1:9"
"""A proxy that is not there."""
PRIVATE: Final = re.compile(
    r"_API_KEY$|_ENDPOINT$|^(OTEL|AUTOGEN_STREAMTRACE|OPENAI|AZURE)_|^(https?|all|no)_proxy$", re.I
)
"""Variables that would lead a test to somebody's account, or change what is watched."""


@dataclass
class Round:
    """What one run of a package's tests told."""

    outcomes: dict[str, str] = field(default_factory=dict)
    """By test id."""
    warnings: set[str] = field(default_factory=set)
    streams: Counter[str] = field(default_factory=Counter)
    """How many were watched, by layer."""
    seconds: float = 0.0
    cpu: float = 0.0
    """Seconds, of the tests' processes."""


@dataclass
class Ways:
    """All rounds of a package, each way."""

    bare: list[Round]
    watched: list[Round]

    def outcomes(self, rounds: Iterable[Round]) -> dict[str, set[str]]:
        """Every outcome that a test had."""
        had: dict[str, set[str]] = defaultdict(set)
        for test in {test for each in (*self.bare, *self.watched) for test in each.outcomes}:
            had[test] = {each.outcomes.get(test, "not run") for each in rounds}
        return had

    def differences(self) -> Iterator[str]:
        """Tests that are steady when bare and end otherwise when watched; warnings that only the watched have."""
        watched = self.outcomes(self.watched)
        for test, had in sorted(self.outcomes(self.bare).items()):
            if len(had) == 1 and watched[test] != had and not REPLACED.match(test):
                yield f"{test}: {_words(had)} bare, {_words(watched[test])} watched"
        known = {warning for each in self.bare for warning in each.warnings}
        for warning in sorted({warning for each in self.watched for warning in each.warnings} - known):
            yield f"only watched: {warning}"

    def report(self, name: str, differences: list[str]) -> Iterator[str]:
        """A package's result in lines."""
        bare = self.outcomes(self.bare)
        counts = Counter(_words(had) for had in bare.values())
        yield f"{name}: {len(bare)} tests, bare " + _listed(counts)
        yield f"  {_time(self.bare)} bare, {_time(self.watched)} watched: " + _listed(self.watched[0].streams)
        yield from (f"  unsteady when bare, not compared: {test}" for test, had in sorted(bare.items()) if len(had) > 1)
        replaced = sum(REPLACED.match(test) is not None for test in bare)
        if replaced:
            yield f"  about spans that ours replace, not compared: {replaced}"
        yield from (f"  DIFFERENT {difference}" for difference in differences)


def _time(rounds: list[Round]) -> str:
    """Of the quickest round, in seconds."""
    return f"{min(each.seconds for each in rounds):.0f} s ({min(each.cpu for each in rounds):.0f} of CPU)"


def _words(outcomes: set[str]) -> str:
    return " or ".join(sorted(outcomes))


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {what}" for what, number in counts.most_common()) or "none"


def read(log: Path) -> Round:
    """Reads what ``pytest --report-log`` wrote."""
    told = Round()
    for line in log.read_text().splitlines():
        report = json.loads(line)
        kind = report.get("$report_type")
        if kind == "TestReport" or (kind == "CollectReport" and report["outcome"] != "passed"):
            before = told.outcomes.get(report["nodeid"], "passed")
            told.outcomes[report["nodeid"]] = max(before, report["outcome"], key=WORST.index)
        elif kind == "WarningMessage" and report["category"] in LEAKS:
            told.warnings.add(_warning(report))
        if report.get("when") == "teardown":
            told.streams.update(dict(report["user_properties"]).get("streams", {}))
    return told


def _warning(report: dict[str, Any]) -> str:
    """Its category and first line, without what is different each time: paths, addresses, numbers."""
    line = report["message"].strip().splitlines()[0]
    return f"{report['category']}: " + re.sub(r"'/[^']*'|0x[0-9a-f]+|\d+", "…", line)


def environment(packages: Path, logs: Path, settings: dict[str, str] | None) -> dict[str, str]:
    """The environment of the tests: no key, no way out, the project's plugin within reach where there are settings."""
    paths = [packages / "autogen-test-utils" / "src", *([] if settings is None else [Path(__file__).parent])]
    return {
        **{name: value for name, value in os.environ.items() if not PRIVATE.search(name)},
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), CLOSED),
        **(settings or {}),
        "NO_PROXY": "localhost,127.0.0.1,::1",
        "PATH": os.pathsep.join([str(logs), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join(map(str, paths)),
    }


def put_uv(folder: Path) -> None:
    """Some tests start their servers with ``uv run python``, which would install an environment: theirs is this one."""
    uv = folder / "uv"
    uv.write_text('#!/bin/sh\nshift\nexec "$@"\n')
    uv.chmod(0o755)


def run(package: Path, logs: Path, settings: dict[str, str] | None = None) -> Round:
    """Runs a package's tests one way.

    Args:
        package: its folder.
        logs: where pytest's output goes.
        settings: variables under which the tests are watched; None for bare.

    Raises:
        click.BadParameter: pytest itself failed.
    """
    alone = ALONE.get(package.name)
    parts = [["tests"]] if alone is None else [["tests", f"--ignore={alone}"], [alone]]
    told = Round()
    for paths in parts:
        name = f"{package.name}-{'bare' if settings is None else 'watched'}-{len(list(logs.glob('*.txt')))}"
        report, output = logs / f"{name}.jsonl", logs / f"{name}.txt"
        command = [sys.executable, "-m", "pytest", *paths, *OPTIONS, f"--report-log={report}"]
        started, used = time.monotonic(), _cpu()
        with output.open("w") as file:
            ended = subprocess.run(
                command if settings is None else [*command, "-p", "watched_tests"],
                cwd=package,
                env=environment(package.parent, logs, settings),
                stdout=file,
                stderr=file,
                timeout=PACKAGE_TIMEOUT,
                check=False,
            )
        if ended.returncode not in (0, 1):
            raise click.BadParameter(f"pytest ended with {ended.returncode}; see {output}")
        part = read(report)
        told.outcomes |= part.outcomes
        told.warnings |= part.warnings
        told.streams += part.streams
        told.seconds += time.monotonic() - started
        told.cpu += _cpu() - used
    return told


def _cpu() -> float:
    """Seconds of CPU that ended children took."""
    times = os.times()
    return times.children_user + times.children_system


def check_version(package: Path) -> None:
    """Raises ``click.BadParameter`` where a package is not there, or is not the version that is installed."""
    try:
        project = (package / "pyproject.toml").read_text()
    except OSError as error:
        raise click.BadParameter(
            f"{package} holds no package: {error}; give the top folder of AutoGen's repository, or of Agent Framework's"
        ) from error
    found = re.search(r'^version = "(.+)"', project, re.MULTILINE)
    name = re.search(r'^name = "(.+)"', project, re.MULTILINE)
    installed = importlib.metadata.version(name[1] if name else package.name)
    if found is None or found[1] != installed:
        there = found[1] if found else "unknown"
        raise click.BadParameter(
            f"{package} is version {there}, installed is {installed}; check out python-v{installed}, or of Agent"
            f" Framework python-{installed}"
        )


@click.command()
@click.argument("repository", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--package", multiple=True, help="Only this package; may be repeated.")
@click.option(
    "--rounds", type=click.IntRange(1), default=2, help="Runs each way; every second one records all there is."
)
@click.option("--logs", type=click.Path(path_type=Path), help="Where pytest's output is kept.")
def main(repository: Path, package: tuple[str, ...], rounds: int, logs: Path | None) -> None:
    """Runs a framework's own tests bare and watched, and prints what differs.

    REPOSITORY is a copy of AutoGen's repository, or of Agent Framework's.
    """
    logs = (logs or Path(tempfile.mkdtemp(prefix="autogen-tests-"))).resolve()
    logs.mkdir(parents=True, exist_ok=True)
    put_uv(logs)
    folder = repository.resolve() / "python" / "packages"
    autogens, agent_frameworks = PACKAGES
    several = agent_frameworks if (folder / agent_frameworks[0]).is_dir() else autogens
    packages = [folder / name for name in package or several]
    for each in packages:
        check_version(each)
    different: list[str] = []
    streams: Counter[str] = Counter()
    for each in packages:
        ways = Ways([], [])
        for number in range(rounds):  # in turn, so that a busy machine is one for both
            ways.bare.append(run(each, logs))
            ways.watched.append(run(each, logs, EVERYTHING if number % 2 else {}))
        streams += ways.watched[0].streams
        found = list(ways.differences())
        different += found
        click.echo("\n".join(ways.report(each.name, found)))
    click.echo(f"pytest's output is in {logs}")
    if not streams:
        click.echo("No stream was watched: this proves nothing.")
    raise click.exceptions.Exit(0 if streams and not different else 1)


if __name__ == "__main__":
    main()
