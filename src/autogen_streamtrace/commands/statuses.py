"""The exit statuses of all commands, and a help that lists them."""

import inspect
from collections.abc import Callable
from typing import Any, Final, NoReturn

import click

ALL_WELL: Final = 0
FOUND: Final = 1
"""Something was found."""
WRONG_USE: Final = 2
"""Also an input that does not exist, is empty, or has a format that the command does not read."""


def command(*, example: str, well: str, found: str = "") -> Callable[[Callable[..., Any]], click.Command]:
    """Makes a command of a function. Its first sentence is its line in the list of commands.

    Args:
        example: the arguments of a useful call.
        well: when the exit status is 0.
        found: when it is 1; empty where that never is.
    """

    def made(function: Callable[..., Any]) -> click.Command:
        name = function.__name__
        meanings = {
            ALL_WELL: well,
            FOUND: found,
            WRONG_USE: "the command was used wrongly, or its input cannot be used",
        }
        statuses = [f"  {status}  {meaning}" for status, meaning in meanings.items() if meaning]
        told = ["\b", "Example:", f"  autogen-streamtrace {name} {example}", "", "\b", "Exit status:", *statuses]
        first, _, _ = (inspect.getdoc(function) or "").partition("\n\n")
        return click.command(name, short_help=" ".join(first.split()), epilog="\n".join(told))(function)

    return made


def end(*, found: bool) -> NoReturn:
    """Ends the command."""
    raise click.exceptions.Exit(FOUND if found else ALL_WELL)


def wrong(option: str, problem: object) -> click.BadParameter:
    """To be raised: a wrong use, of this option or argument."""
    return click.BadParameter(str(problem), param_hint=option)
