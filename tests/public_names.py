"""Collects every public name: what ``docs/stability.md`` promises. Run as a program it writes the list down."""

import inspect
import json
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass
from importlib.metadata import metadata
from pathlib import Path
from typing import Final, get_args

import click

import autogen_streamtrace
from autogen_streamtrace import cli, settings
from autogen_streamtrace.commands import statuses
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.watch import PROVIDERS

FILE: Final = Path(__file__).with_suffix(".toml")
WRITE: Final = "python tests/public_names.py"
"""The command that writes it."""

Names = Mapping[str, list[str]]
"""The names of each table in the file."""


def collected() -> Names:
    """The names as the code has them."""
    return {
        "python": sorted(line for name in autogen_streamtrace.__all__ for line in of_object(name)),
        "settings": sorted(of_settings()),
        "layers": list(sc.LAYERS),
        "outcomes": list(sc.OUTCOMES),
        "ended_by": list(get_args(sc.EndedBy)),
        "waiting_on_types": list(get_args(sc.WaitingOn)),
        "cancelled_by": list(get_args(sc.CancelledBy)),
        "limit_sources": list(get_args(sc.LimitSource)),
        "attributes": of_telemetry("A_"),
        "events": of_telemetry("E_"),
        "metrics": of_telemetry("M_"),
        "command_line": sorted(of_command_line()),
        "exit_statuses": [
            f"{statuses.ALL_WELL} all well",
            f"{statuses.FOUND} found",
            f"{statuses.WRONG_USE} wrong use",
        ],
        "extras": sorted(metadata("autogen-streamtrace").get_all("Provides-Extra") or []),
    }


def of_object(name: str) -> Iterable[str]:
    """A function or class with its parameters, and a class's fields, methods and properties."""
    thing = getattr(autogen_streamtrace, name)
    if not inspect.isclass(thing):
        return [name + parameters(thing)]
    own = {key: value for key, value in vars(thing).items() if not key.startswith("_")}
    methods = [f"{name}.{key}{parameters(value)}" for key, value in own.items() if inspect.isfunction(value)]
    properties = [f"{name}.{key}" for key, value in own.items() if isinstance(value, property)]
    data = [f"{name}.{field.name}" for field in fields(thing)] if is_dataclass(thing) else []
    bases = [base.__name__ for base in thing.__bases__ if base is not object]
    return [f"{name}({', '.join(bases)})" if bases else name, *methods, *properties, *data]


def parameters(function: object) -> str:
    """The parameters with their defaults, without types."""
    signature = inspect.signature(function)  # type: ignore[arg-type]
    bare = [each.replace(annotation=inspect.Parameter.empty) for each in signature.parameters.values()]
    return str(signature.replace(parameters=bare, return_annotation=inspect.Signature.empty))


def of_settings() -> Iterable[str]:
    """Each setting with its default and its variable, and the providers, which have none."""
    defaults = settings.Settings()
    variables = [f"{name}={getattr(defaults, name)!r} {settings.variable(name)}" for name in vars(defaults)]
    return [*variables, *PROVIDERS]


def of_telemetry(prefix: str) -> list[str]:
    return sorted({value for name, value in vars(sc).items() if name.startswith(prefix)})


def of_command_line() -> Iterable[str]:
    """Each command with each of its arguments and options."""
    context = click.Context(cli.app)
    for name in cli.app.list_commands(context):
        command = cli.app.get_command(context, name)
        assert command is not None
        yield name
        for each in command.params:
            yield from (f"{name} {word if word.startswith('-') else each.human_readable_name}" for word in each.opts)


def as_toml(names: Names) -> str:
    """A string in JSON is one in TOML."""
    tables = [
        f"{table} = [\n" + "".join(f"  {json.dumps(name, ensure_ascii=False)},\n" for name in listed) + "]\n"
        for table, listed in names.items()
    ]
    return f"# Every public name. `{WRITE}` writes it. docs/stability.md says what is promised.\n\n" + "\n".join(tables)


if __name__ == "__main__":
    FILE.write_text(as_toml(collected()), encoding="utf-8")
