"""What all commands with optional packages share."""

import os
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from autogen_streamtrace.commands.statuses import WRONG_USE, wrong

if TYPE_CHECKING:
    from rich.console import Console

    from autogen_streamtrace.limits import LimitMatcher

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def require(*modules: str, what: str, extra: str = "ui") -> None:
    """Ends with status 2 and names the extra to install, if a module is missing."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        click.echo(f"{what} needs {', '.join(missing)}:", err=True)
        click.echo(f"  pip install 'autogen-streamtrace[{extra}]'", err=True)
        raise click.exceptions.Exit(WRONG_USE)


def plain_console() -> "Console":
    """Standard output. Where it is no terminal, lines are not wrapped."""
    from rich.console import Console

    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=10_000)


def limits_option(command: FunctionT) -> FunctionT:
    """Adds ``--limits``, as ``limits``: what ``known_limits`` reads."""
    option = click.option(
        "--limits",
        type=click.Path(path_type=Path),
        multiple=True,
        metavar="FILE",
        help="Limits of your own, in TOML; repeatable.",
    )
    return option(command)


def known_limits(files: Sequence[Path]) -> "LimitMatcher":
    """The catalogue with the user's files before it: these files, else the one of the setting ``limits_file``."""
    from autogen_streamtrace.limits import CatalogueError, LimitMatcher, load

    named = os.environ.get("AUTOGEN_STREAMTRACE_LIMITS_FILE")
    own = [*files] if files or not named else [Path(named)]
    try:
        return LimitMatcher(load(*own))
    except CatalogueError as error:
        raise wrong("--limits", error) from None
