"""The options for the directories of the recorders and of the store."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


def directory_option(command: FunctionT) -> FunctionT:
    """Adds ``--dir``, as ``directory``. The directory must exist, since a wrong one would look empty."""
    option = click.option(
        "--dir",
        "directory",
        envvar="AUTOGEN_STREAMTRACE_RECORDER_DIR",
        show_envvar=True,
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        metavar="DIRECTORY",
        help="Where the recorders lie, as the setting recorder_dir says; by default the user's state directory.",
    )
    return option(command)


def store_option(command: FunctionT) -> FunctionT:
    """Adds ``--store``, as ``store``."""
    option = click.option(
        "--store",
        envvar="AUTOGEN_STREAMTRACE_UI_STORE",
        show_envvar=True,
        type=click.Path(file_okay=False, path_type=Path),
        metavar="DIRECTORY",
        help="Where `ui` keeps what it gets; by default the user's state directory.",
    )
    return option(command)
