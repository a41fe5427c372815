"""`autogen-streamtrace audit`."""

import importlib
import importlib.util
import json
import sys
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer

from autogen_streamtrace.commands.audit.timeouts import audit as look
from autogen_streamtrace.commands.audit.timeouts import recognised
from autogen_streamtrace.commands.extras import plain_console


def audit(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODULE[:NAME]…]",
            help="Imported; with a name that object (a function is called), else all that the module holds.",
        ),
    ] = None,
    server: Annotated[
        str, typer.Option(metavar="COMMAND", help="The command line of the server: 'gunicorn -t 60 …' or 'uvicorn …'.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document.")] = False,
) -> None:
    """List every timeout of a program's agents, teams, clients, tools and server, and what is wrong with them."""
    if not targets and not server:
        raise typer.BadParameter("name a module of the program (app.main, app/main.py, app.main:team), or --server")
    objects = [found for target in targets or [] for found in _objects(target)]
    try:
        found = look(*objects, server=server)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--server") from None
    if as_json:
        shortest = None if found.shortest is None else asdict(found.shortest)
        timeouts = [asdict(each) for each in found.timeouts]
        typer.echo(json.dumps({"timeouts": timeouts, "findings": found.findings, "shortest": shortest}, indent=2))
    else:
        found.show(plain_console())
    if found.findings:
        raise typer.Exit(1)


def _objects(target: str) -> list[Any]:
    place, _, name = target.rpartition(":") if ":" in target else (target, "", "")
    module = _module(place)
    if not name:
        held = [value for key, value in vars(module).items() if not key.startswith("__") and recognised(value)]
        if not held:
            raise typer.BadParameter(f"{place} holds no agent, team, client, tool or server; write {place}:NAME")
        return held
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise typer.BadParameter(f"{place} has no {name!r}")
        found = getattr(found, part)
    if callable(found) and not recognised(found):
        found = found()
    return [found]


def _module(place: str) -> ModuleType:
    sys.path.insert(0, "")
    try:
        if not place.endswith(".py"):
            return importlib.import_module(place)
        path = Path(place).resolve()
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.path.insert(0, str(path.parent))
        spec.loader.exec_module(module)
        return module
    except (ImportError, OSError) as error:
        raise typer.BadParameter(f"{place} cannot be imported: {error}") from None
