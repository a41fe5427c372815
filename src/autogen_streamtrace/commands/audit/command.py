"""`autogen-streamtrace audit`."""

import asyncio
import importlib
import importlib.util
import json
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from types import ModuleType
from typing import Any

import click

from autogen_streamtrace.commands.extras import plain_console
from autogen_streamtrace.commands.statuses import command, end, wrong


@command(
    example="main.py:team --server 'gunicorn -t 60 main:app'",
    well="every timeout is bounded and shorter than what encloses it",
    found="one is not",
)
@click.argument("targets", metavar="[MODULE[:NAME]]...", nargs=-1)
@click.option(
    "--server",
    default="",
    metavar="COMMAND",
    help="The command line of the server, of uvicorn, gunicorn, hypercorn, granian or daphne.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def audit(targets: tuple[str, ...], server: str, as_json: bool) -> None:
    """List every timeout of a program, and what is wrong with them.

    A MODULE (app.main or app/main.py) is imported. With a NAME that object is looked at, and a function is called;
    without one, every agent, team, client, tool and server that the module holds.
    """
    from autogen_streamtrace.commands.audit.look import audit as look

    if not targets and not server:
        raise click.UsageError("name a module of the program (app.main, app/main.py, app.main:team), or --server")
    objects = [found for target in targets for found in _objects(target)]
    try:
        found = look(*objects, server=server)
    except ValueError as error:
        raise wrong("--server", error) from None
    if as_json:
        shortest = None if found.shortest is None else asdict(found.shortest)
        timeouts = [asdict(each) for each in found.timeouts]
        click.echo(json.dumps({"timeouts": timeouts, "findings": found.findings, "shortest": shortest}, indent=2))
    else:
        found.show(plain_console())
    end(found=bool(found.findings))


def _objects(target: str) -> list[Any]:
    """What is to be looked at."""
    from autogen_streamtrace.commands.audit.look import recognised

    place, _, name = target.rpartition(":") if ":" in target else (target, "", "")
    module = _module(place)
    if not name:
        held = [value for key, value in vars(module).items() if not key.startswith("__") and recognised(value)]
        if not held:
            raise _wrong(f"{place} holds no agent, team, client, tool or server; write {place}:NAME")
        return held
    found: Any = module
    for part in name.split("."):
        if not hasattr(found, part):
            raise _wrong(f"{place} has no {name!r}")
        found = getattr(found, part)
    if callable(found) and not recognised(found):
        with _told(f"{target} cannot be called"):
            found = found()
        if asyncio.iscoroutine(found):
            found.close()
            raise _wrong(f"{target} is a coroutine function; name one that returns what it makes")
    if not recognised(found):
        raise _wrong(f"{target} is a {type(found).__name__}: no agent, team, client, tool or server")
    return [found]


def _module(place: str) -> ModuleType:
    sys.path.insert(0, "")
    with _told(f"{place} cannot be imported"):
        if not place.endswith(".py"):
            return importlib.import_module(place)
        path = Path(place).resolve()
        spec = importlib.util.spec_from_file_location(path.stem, path)
        assert spec is not None and spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.path.insert(0, str(path.parent))
        spec.loader.exec_module(module)
        return module


@contextmanager
def _told(what: str) -> Iterator[None]:
    """Reports whatever the program raises, or its exit, in one line with the program's own place."""
    try:
        yield
    except (Exception, SystemExit) as error:
        raise _wrong(f"{what}: {_in_a_line(error)}") from None


def _in_a_line(error: BaseException) -> str:
    said = " ".join(str(error).split())
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<frozen")]
    own = [frame for frame in frames if frame.filename != __file__]
    where = f" ({own[-1].filename}:{own[-1].lineno})" if own else ""
    return f"{type(error).__name__}{said and f': {said}'}{where}"


def _wrong(problem: str) -> click.BadParameter:
    return wrong("MODULE[:NAME]", problem)
