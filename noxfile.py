"""What runs before a change lands. `nox` runs all of it; `nox -l` lists the sessions.

Whatever follows `--` goes to pytest or to the demo: `nox -s "tests(openai3)" -- -k timeout`.
"""

import os
import sys
from pathlib import Path

import nox

nox.needs_version = ">=2026.10.20"
nox.options.default_venv_backend = "uv|virtualenv"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = False
nox.options.reuse_venv = "yes"
nox.options.sessions = ["lint", "tests", "pythons", "uvloop", "bare"]

# A slow registry is no reason to fail.
os.environ.setdefault("UV_HTTP_TIMEOUT", "180")
os.environ.setdefault("UV_HTTP_RETRIES", "5")

# pyenv's shims answer only for the versions that are switched on; the others are found in their own folders.
if pyenv := os.environ.get("PYENV_ROOT"):
    os.environ["PATH"] = os.pathsep.join([os.environ["PATH"], *map(str, Path(pyenv).glob("versions/3.*/bin"))])

HERE = f"{sys.version_info.major}.{sys.version_info.minor}"
OTHER_PYTHONS = [version for version in ("3.10", "3.11", "3.12", "3.13") if version != HERE]

OPENAI_3 = "openai>=3,<4"
"""Speaks through httpx2."""
OPENAI_1 = "openai>=1.93,<2"
"""Speaks through httpx."""

PARALLEL = ("--numprocesses=auto", "--maxprocesses=4", "--dist=worksteal")
NOT_ONCE = ("-m", "not once")
"""What may differ between Pythons, event loops and openai families."""


def run_pytest(session: nox.Session, openai: str, *arguments: str, env: dict[str, str] | None = None) -> None:
    """Installs the package with one openai family beside it and runs the tests."""
    session.install("--editable", ".", "--group", "test", openai)
    session.run("pytest", *PARALLEL, *arguments, *session.posargs, env=env)


@nox.session
def lint(session: nox.Session) -> None:
    """Lint, format, which module imports which, strict types."""
    session.install("--editable", ".", "--group", "test", "--group", "lint", OPENAI_3)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-logo", "--no-cache")
    session.run("mypy")


@nox.session
@nox.parametrize("openai", [nox.param(OPENAI_3, id="openai3"), nox.param(OPENAI_1, id="openai1")])
def tests(session: nox.Session, openai: str) -> None:
    """The tests on the Python that runs nox: all of them with openai 3, what may differ with openai 1."""
    run_pytest(session, openai, *(NOT_ONCE if openai == OPENAI_1 else ()))


@nox.session(python=OTHER_PYTHONS)
def pythons(session: nox.Session) -> None:
    """What may differ, on every other supported Python that is installed."""
    run_pytest(session, OPENAI_3, *NOT_ONCE)


@nox.session
def uvloop(session: nox.Session) -> None:
    """What may differ, under uvloop."""
    run_pytest(session, OPENAI_3, *NOT_ONCE, env={"STREAMTRACE_TEST_LOOP": "uvloop"})


@nox.session
def bare(session: nox.Session) -> None:
    """The built package with nothing to instrument: no AutoGen, no HTTP client."""
    session.install(".", "--group", "pytest")
    session.run("pytest", "tests/test_bare.py", *session.posargs)


@nox.session
def soak(session: nox.Session) -> None:
    """Two hundred processes that are killed at random moments under load; a few minutes."""
    session.install("--editable", ".", "--group", "test", OPENAI_3)
    environment = {"STREAMTRACE_SOAK_ROUNDS": os.environ.get("STREAMTRACE_SOAK_ROUNDS", "200")}
    session.run("pytest", "tests/test_soak.py", *session.posargs, env=environment)


@nox.session
def demo(session: nox.Session) -> None:
    """A real agent and a real team against a model server that cuts its streams."""
    session.install("--editable", ".[demo]")
    session.run("autogen-streamtrace", "demo", *session.posargs)


@nox.session
def pictures(session: nox.Session) -> None:
    """Makes the README's picture anew, from what the demo prints."""
    session.install("--editable", ".[demo]")
    session.run("python", "docs/pictures.py")
