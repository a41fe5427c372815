"""What the commands share that run on optional packages."""

import os
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import typer
from rich.console import Console

from autogen_streamtrace.limits import CatalogueError, LimitMatcher, load
from autogen_streamtrace.settings import variable


def require(*modules: str, what: str) -> None:
    """Ends with status 2, and says what to install, where a module is missing."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        typer.echo(f"{what} needs {', '.join(missing)}:", err=True)
        typer.echo("  pip install 'autogen-streamtrace[diagnose]'", err=True)
        raise typer.Exit(2)


def plain_console() -> Console:
    """Standard output; where it is no terminal, lines are not broken."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=10_000)


def known_limits(files: Sequence[Path]) -> LimitMatcher:
    """The catalogue, with the user's files before it: these, else the one that the setting ``limits_file`` names."""
    named = os.environ.get(variable("limits_file"))
    own = [*files] if files or not named else [Path(named)]
    try:
        return LimitMatcher(load(*own))
    except CatalogueError as error:
        raise typer.BadParameter(str(error), param_hint="--limits") from None
