"""Every timeout of a program, layer by layer: how long, who set it, which is the shortest, which cannot strike.

Reads attributes that objects have, by their shape; it imports nothing of AutoGen, of an HTTP client or of a server.
Deadlines in the program's code (``asyncio.timeout``, ``wait_for``) cannot be seen from outside.
"""

import itertools
import math
import shlex
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from autogen_streamtrace.core.watching.supervision import process as supervision

if TYPE_CHECKING:
    from rich.console import Console

Kind = Literal["explicit", "default", "none"]
Path = tuple[str, ...]

_TIMERS: Final = ("connect", "read", "write", "pool")
_HTTPX_DEFAULT: Final = 5.0
_SDK_DEFAULTS: Final = {"connect": 5.0, "read": 600.0, "write": 600.0, "pool": 600.0}
_DEPTH: Final = 12


@dataclass(frozen=True)
class Timeout:
    """One timeout."""

    layer: str
    """server, team, agent, model, http or tool."""
    whose: Path
    """The names from the outermost object that holds it to its own."""
    setting: str
    seconds: float | None
    """None: it never strikes."""
    kind: Kind
    """explicit: set by the program · default: the library's own · none: there is none."""
    bounds: bool = True
    """It bounds how long its owner may be silent, or take; a connect or keep-alive timeout does not."""
    tries: int = 1
    """How often what it bounds may be tried."""

    @property
    def longest(self) -> float | None:
        """Seconds that its owner may take by it, with every retry."""
        return None if self.seconds is None else self.seconds * self.tries


@dataclass(frozen=True)
class Audit:
    """The timeouts of a program, and what is wrong with them."""

    timeouts: tuple[Timeout, ...]
    findings: tuple[str, ...]
    shortest: Timeout | None
    """The one that strikes first, of those that bound a stream."""

    def __str__(self) -> str:
        from rich.console import Console

        console = Console(width=160, highlight=False, no_color=True)
        with console.capture() as captured:
            self.show(console)
        return captured.get()

    def show(self, console: "Console") -> None:
        """Prints the table, then what is wrong."""
        from rich.table import Table

        table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False)
        for heading in ("layer", "whose", "setting", "seconds", "set"):
            table.add_column(heading, no_wrap=heading != "whose", justify="right" if heading == "seconds" else "left")
        for each in self.timeouts:
            seconds = "never" if each.seconds is None else f"{each.seconds:g}"
            mark = "  shortest" if each is self.shortest else ""
            table.add_row(each.layer, " › ".join(each.whose), each.setting, seconds, f"{each.kind}{mark}")
        console.print(table)
        console.print()
        for finding in self.findings:
            console.print(f"- {finding}", markup=False)
        if not self.findings:
            console.print("All is well: everything is bounded, and the inner bounds are shorter than the outer ones.")


def audit(*objects: Any, server: str = "") -> Audit:
    """Every timeout of these objects and of what they hold.

    Args:
        objects: agents, teams, model clients, HTTP clients, tools, workbenches, uvicorn's and gunicorn's configs.
        server: the command line that the server is started with: ``gunicorn -t 60 …`` or ``uvicorn …``. Without it,
            the server that runs this process, where it is instrumented.

    Raises:
        ValueError: the command line is of another server, or a value in it is no number.
    """
    found = list(_of_command(server)) if server else []
    for each in (*objects, *(() if server else supervision.servers)):
        found += _of(each, (), set())
    timeouts = tuple(dict.fromkeys(found))
    bounding = [each for each in timeouts if each.bounds and each.seconds is not None and each.layer != "server"]
    shortest = min(bounding, key=lambda each: each.seconds or 0.0, default=None)
    return Audit(timeouts, tuple(dict.fromkeys(_findings(timeouts))), shortest)


def recognised(thing: Any) -> bool:
    """The object is of a kind that has timeouts."""
    return not isinstance(thing, type) and bool(_of(thing, (), set()))


def _findings(timeouts: Sequence[Timeout]) -> Iterator[str]:
    for each in timeouts:
        if each.seconds is None and each.bounds and each.layer in ("tool", "model", "http"):
            what = "can hang for ever" if each.layer == "tool" else "waits for ever on a server that says nothing"
            yield f"{' › '.join(each.whose)} has no bound: {each.setting} is {each.kind}; it {what}."
    for outer, inner in itertools.permutations(timeouts, 2):
        if _encloses(outer, inner) and (inner.longest or 0.0) > (outer.seconds or math.inf):
            tries = f" in {inner.tries} tries" if inner.tries > 1 else ""
            yield (
                f"{inner.setting} of {' › '.join(inner.whose)} allows {inner.longest:g} s{tries}, "
                f"longer than {outer.setting} of {' › '.join(outer.whose)} ({outer.seconds:g} s), "
                "which strikes first and says less."
            )


def _encloses(outer: Timeout, inner: Timeout) -> bool:
    if not (outer.bounds and inner.bounds) or outer is inner:
        return False
    if outer.layer == "server":
        return inner.layer != "server"
    return len(outer.whose) < len(inner.whose) and inner.whose[: len(outer.whose)] == outer.whose


# What is read from each kind of object. The first reader that knows it counts.


def _of(thing: Any, inside: Path, seen: set[int]) -> list[Timeout]:
    if id(thing) in seen or len(inside) > _DEPTH:
        return []
    seen = seen | {id(thing)}
    if isinstance(thing, (list, tuple)):
        return [each for item in thing for each in _of(item, inside, seen)]
    for reader in (_team, _agent, _model_client, _http_client, _workbench, _tool, _uvicorn, _gunicorn):
        found = reader(thing, inside, seen)
        if found is not None:
            return found
    return []


def _named(thing: Any) -> str:
    for key in ("name", "_name"):
        name = getattr(thing, key, None)
        if isinstance(name, str) and name:
            return name
    return type(thing).__name__


def _team(thing: Any, inside: Path, seen: set[int]) -> list[Timeout] | None:
    participants = getattr(thing, "_participants", None)
    if not isinstance(participants, list):
        return None
    whose = (*inside, f"team {_named(thing)}")
    found = [
        Timeout("team", whose, "TimeoutTermination", seconds, "explicit")
        for seconds in _terminations(getattr(thing, "_termination_condition", None))
    ]
    found = found or [Timeout("team", whose, "TimeoutTermination", None, "none")]
    return [*found, *_of(participants, whose, seen)]


def _terminations(condition: Any) -> Iterator[float]:
    """Seconds of the ``TimeoutTermination``s in a condition."""
    seconds = getattr(condition, "_timeout_seconds", None)
    if isinstance(seconds, (int, float)):
        yield float(seconds)
    inner = getattr(condition, "_conditions", ())
    for each in inner if isinstance(inner, (list, tuple)) else ():
        yield from _terminations(each)


def _agent(thing: Any, inside: Path, seen: set[int]) -> list[Timeout] | None:
    if not callable(getattr(thing, "on_messages_stream", None)):
        return None
    whose = (*inside, f"agent {_named(thing)}")
    held = ("_model_client", "_workbench", "_tools", "_team", "_code_executor")
    parts = [getattr(thing, key) for key in held if getattr(thing, key, None) is not None]
    return [each for part in parts for each in _of(part, whose, seen)]


def _model_client(thing: Any, inside: Path, seen: set[int]) -> list[Timeout] | None:
    if not callable(getattr(thing, "create_stream", None)):
        return None
    inner = getattr(thing, "client", None)
    if callable(getattr(inner, "create_stream", None)):  # a client that wraps another one
        return _of(inner, inside, seen)
    sdk = getattr(thing, "_client", None)
    asked = getattr(thing, "_create_args", None)
    model = str(asked.get("model", "")) if isinstance(asked, dict) else ""
    whose = (*inside, f"model {model or _named(thing)}")
    timeout = getattr(sdk, "timeout", None)
    if sdk is None or not (_is_timeout(timeout) or hasattr(sdk, "max_retries")):
        http = getattr(sdk, "_client", None)  # Ollama's, which passes no timeout on
        return _http(http, whose, "model") if _is_timeout(getattr(http, "timeout", None)) else []
    retries = getattr(sdk, "max_retries", 0)
    tries = 1 + (retries if isinstance(retries, int) else 0)
    return list(_timers(timeout, whose, "model", _SDK_DEFAULTS, tries))


def _http_client(thing: Any, inside: Path, seen: set[int]) -> list[Timeout] | None:
    if not (callable(getattr(thing, "stream", None)) and _is_timeout(getattr(thing, "timeout", None))):
        return None
    return _http(thing, (*inside, f"http {type(thing).__module__.partition('.')[0]}.{type(thing).__name__}"), "http")


def _http(client: Any, whose: Path, layer: str) -> list[Timeout]:
    return list(_timers(client.timeout, whose, layer, dict.fromkeys(_TIMERS, _HTTPX_DEFAULT), 1))


def _is_timeout(value: Any) -> bool:
    return isinstance(value, (int, float)) or all(hasattr(value, timer) for timer in _TIMERS)


def _timers(value: Any, whose: Path, layer: str, defaults: dict[str, float], tries: int) -> Iterator[Timeout]:
    """The four timers of an ``httpx.Timeout``, or one number for all of them."""
    seconds: dict[str, float | None] = {
        timer: value if isinstance(value, (int, float)) else getattr(value, timer, None) for timer in _TIMERS
    }
    kind: Kind = "default" if seconds == defaults else "explicit"
    for timer in _TIMERS:
        set_ = "none" if seconds[timer] is None else kind
        yield Timeout(layer, whose, f"{timer} timeout", seconds[timer], set_, timer == "read", tries)


def _workbench(thing: Any, inside: Path, seen: set[int]) -> list[Timeout] | None:
    if not callable(getattr(thing, "call_tool", None)):
        return None
    parameters = getattr(thing, "_server_params", None)
    if parameters is not None:  # an MCP workbench
        whose = (*inside, f"workbench {type(thing).__name__}")
        keys = ("read_timeout_seconds", "sse_read_timeout", "timeout")
        key = next((key for key in keys if hasattr(parameters, key)), "")
        value = _seconds(getattr(parameters, key, None))
        given = key in getattr(parameters, "model_fields_set", ())
        kind: Kind = "none" if value is None else "explicit" if given else "default"
        return [Timeout("tool", whose, key or "timeout", value, kind)]
    tools = getattr(thing, "_tools", None)
    return _of(tools, inside, seen) if isinstance(tools, (list, tuple)) else []


def _seconds(value: Any) -> float | None:
    if isinstance(value, (int, float)):
        return float(value)
    total = getattr(value, "total_seconds", None)  # a timedelta
    return float(total()) if callable(total) else None


def _tool(thing: Any, inside: Path, seen: set[int]) -> list[Timeout] | None:
    if not callable(getattr(thing, "run_json", None)):
        return None
    whose = (*inside, f"tool {_named(thing)}")
    for holder in (thing, getattr(thing, "server_params", None), getattr(thing, "_executor", None)):
        for key in ("timeout", "_timeout", "timeout_seconds"):
            value = _seconds(getattr(holder, key, None))
            if value is not None:
                return [Timeout("tool", whose, key.lstrip("_"), value, "explicit")]
    inner = [getattr(thing, key, None) for key in ("_agent", "_team")]  # a tool that asks an agent or a team
    found = [each for part in inner if part is not None for each in _of(part, whose, seen)]
    return [Timeout("tool", whose, "timeout", None, "none"), *found]


# Servers. Sources: https://uvicorn.dev/settings/#timeouts, https://gunicorn.org/reference/settings/

_UVICORN: Final[dict[str, tuple[float | None, bool]]] = {
    "timeout_keep_alive": (5.0, False),
    "timeout_graceful_shutdown": (None, True),
    "ws_ping_interval": (20.0, False),
    "ws_ping_timeout": (20.0, False),
}
"""Setting, default in seconds, and whether it bounds a stream."""
_GUNICORN: Final[dict[str, tuple[float | None, bool]]] = {
    "timeout": (30.0, False),
    "graceful_timeout": (30.0, True),
    "keepalive": (2.0, False),
}
_SHORT: Final = {"-t": "timeout"}


def _uvicorn(thing: Any, inside: Path, seen: set[int]) -> list[Timeout] | None:
    config = getattr(thing, "config", thing)
    if not all(hasattr(config, key) for key in _UVICORN):
        return None
    return list(_server("uvicorn", {key: getattr(config, key) for key in _UVICORN}, _UVICORN))


def _gunicorn(thing: Any, inside: Path, seen: set[int]) -> list[Timeout] | None:
    if not all(hasattr(thing, key) for key in (*_GUNICORN, "worker_class")):
        return None
    return list(_server("gunicorn", {key: getattr(thing, key) for key in _GUNICORN}, _GUNICORN))


def _server(name: str, values: dict[str, Any], known: dict[str, tuple[float | None, bool]]) -> Iterator[Timeout]:
    for key, (default, bounds) in known.items():
        seconds = _seconds(values.get(key, default))
        kind: Kind = "none" if seconds is None else "default" if seconds == default else "explicit"
        yield Timeout("server", (name,), key, seconds, kind, bounds)


def _of_command(command: str) -> Iterator[Timeout]:
    """The timeouts that a server's command line sets, and the defaults of the others."""
    words = shlex.split(command)
    name = next((name for name in ("gunicorn", "uvicorn") if any(word.endswith(name) for word in words[:3])), "")
    if not name:
        raise ValueError(f"server {command!r}: neither gunicorn nor uvicorn is started there")
    known = _GUNICORN if name == "gunicorn" else _UVICORN
    values: dict[str, Any] = {key: default for key, (default, _) in known.items()}
    for key, text in _options(words):
        if key in known:
            try:
                values[key] = float(text)
            except ValueError:
                raise ValueError(f"server option {key} = {text!r}: not a number of seconds") from None
    yield from _server(name, values, known)


def _options(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Names, as settings are called, and values of ``--a-b c``, ``--a-b=c`` and ``-t c``."""
    waiting = ""
    for word in words:
        option, equals, text = word.partition("=")
        if word.startswith("-"):
            waiting = _SHORT.get(option, option.lstrip("-").replace("-", "_"))
            if equals:
                yield waiting, text
                waiting = ""
        elif waiting:
            yield waiting, word
            waiting = ""
