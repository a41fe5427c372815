"""Every timeout of a program, layer by layer: its value, its source, the shortest one, and those that cannot strike."""

from typing import Any

from autogen_streamtrace.commands.audit import program, servers
from autogen_streamtrace.commands.audit.findings import findings
from autogen_streamtrace.commands.audit.timeouts import Audit
from autogen_streamtrace.core.watching.supervision import process as supervision


def audit(*objects: Any, server: str = "") -> Audit:
    """Every timeout of these objects and of the objects inside them.

    Args:
        objects: agents, teams, model clients, HTTP clients, tools, workbenches, uvicorn's and gunicorn's configs.
        server: the command line that the server is started with, of uvicorn, gunicorn, hypercorn, granian or daphne.
            gunicorn's other sources are read too: ``GUNICORN_CMD_ARGS`` and its configuration file, which is run.
            Without it, the server that runs this process, where it is instrumented.

    Raises:
        ValueError: the command line is of another server, a value in it is no number, or the configuration file
            cannot be read.
    """
    found = servers.of_command(server) if server else []
    for each in (*objects, *(() if server else supervision.servers)):
        found += program.of(each)
    timeouts = tuple(dict.fromkeys(found))
    bounding = [each for each in timeouts if each.bounds and each.seconds is not None and each.layer != "server"]
    shortest = min(bounding, key=lambda each: each.seconds or 0.0, default=None)
    return Audit(timeouts, tuple(dict.fromkeys(findings(timeouts))), shortest)


def recognised(thing: Any) -> bool:
    """The object is of a kind that has timeouts."""
    return not isinstance(thing, type) and bool(program.of(thing))
