"""The timeouts of a program's objects: agents, teams, model clients, HTTP clients, tools, and servers' configurations.

Reads attributes that objects have, by their shape; it imports nothing of AutoGen, of an HTTP client or of a server.
Deadlines in the program's code (``asyncio.timeout``, ``wait_for``) cannot be seen from outside.
"""

from collections.abc import Iterator
from typing import Any, Final

from autogen_streamtrace.commands.audit import servers
from autogen_streamtrace.commands.audit.timeouts import Kind, Path, Timeout, as_seconds

KEEPALIVE: Final = "keepalive_expiry"
_TIMERS: Final = ("connect", "read", "write", "pool")
_HTTPX_DEFAULT: Final = 5.0
_SDK_DEFAULTS: Final = {"connect": 5.0, "read": 600.0, "write": 600.0, "pool": 600.0}
_DEPTH: Final = 12


def of(thing: Any, inside: Path = (), seen: frozenset[int] = frozenset()) -> list[Timeout]:
    """Every timeout of an object and of the objects inside it. The first reader that knows the object counts.

    Args:
        thing: any object.
        inside: the names of the objects that contain it.
        seen: ids of the objects that contain it, so that a cycle ends.
    """
    if id(thing) in seen or len(inside) > _DEPTH:
        return []
    seen = seen | {id(thing)}
    if isinstance(thing, (list, tuple)):
        return [each for item in thing for each in of(item, inside, seen)]
    for reader in (_team, _agent, _model_client, _http_client, _workbench, _tool):
        found = reader(thing, inside, seen)
        if found is not None:
            return found
    return servers.of(thing)


def _named(thing: Any) -> str:
    for key in ("name", "_name"):
        name = getattr(thing, key, None)
        if isinstance(name, str) and name:
            return name
    return type(thing).__name__


def _team(thing: Any, inside: Path, seen: frozenset[int]) -> list[Timeout] | None:
    participants = getattr(thing, "_participants", None)
    if not isinstance(participants, list):
        return None
    whose = (*inside, f"team {_named(thing)}")
    found = [
        Timeout("team", whose, "TimeoutTermination", seconds, "explicit")
        for seconds in _terminations(getattr(thing, "_termination_condition", None))
    ]
    found = found or [Timeout("team", whose, "TimeoutTermination", None, "none")]
    return [*found, *of(participants, whose, seen)]


def _terminations(condition: Any) -> Iterator[float]:
    """Seconds of the ``TimeoutTermination``s in a condition."""
    seconds = getattr(condition, "_timeout_seconds", None)
    if isinstance(seconds, (int, float)):
        yield float(seconds)
    inner = getattr(condition, "_conditions", ())
    for each in inner if isinstance(inner, (list, tuple)) else ():
        yield from _terminations(each)


def _agent(thing: Any, inside: Path, seen: frozenset[int]) -> list[Timeout] | None:
    if not callable(getattr(thing, "on_messages_stream", None)):
        return None
    whose = (*inside, f"agent {_named(thing)}")
    held = ("_model_client", "_workbench", "_tools", "_team", "_code_executor")
    parts = [getattr(thing, key) for key in held if getattr(thing, key, None) is not None]
    return [each for part in parts for each in of(part, whose, seen)]


def _model_client(thing: Any, inside: Path, seen: frozenset[int]) -> list[Timeout] | None:
    if not callable(getattr(thing, "create_stream", None)):
        return None
    inner = getattr(thing, "client", None)
    if callable(getattr(inner, "create_stream", None)):  # a client that wraps another one
        return of(inner, inside, seen)
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
    timers = _timers(timeout, whose, "model", _SDK_DEFAULTS, tries)
    return [*timers, *_kept(getattr(sdk, "_client", None), whose, "model", _host(sdk))]


def _http_client(thing: Any, inside: Path, seen: frozenset[int]) -> list[Timeout] | None:
    if not (callable(getattr(thing, "stream", None)) and _is_timeout(getattr(thing, "timeout", None))):
        return None
    return _http(thing, (*inside, f"http {type(thing).__module__.partition('.')[0]}.{type(thing).__name__}"), "http")


def _http(client: Any, whose: Path, layer: str) -> list[Timeout]:
    timers = _timers(client.timeout, whose, layer, dict.fromkeys(_TIMERS, _HTTPX_DEFAULT), 1)
    return [*timers, *_kept(client, whose, layer, _host(client))]


def _kept(client: Any, whose: Path, layer: str, host: str) -> Iterator[Timeout]:
    """For how long an HTTP client keeps an idle connection."""
    pool: Any = getattr(getattr(client, "_transport", None), "_pool", None)
    if not hasattr(pool, "_keepalive_expiry"):
        return
    value = as_seconds(pool._keepalive_expiry)
    kind: Kind = "none" if value is None else "default" if value == _HTTPX_DEFAULT else "explicit"
    yield Timeout(layer, whose, KEEPALIVE, value, kind, bounds=False, host=host)


def _host(client: Any) -> str:
    return str(getattr(getattr(client, "base_url", None), "host", "") or "")


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


def _workbench(thing: Any, inside: Path, seen: frozenset[int]) -> list[Timeout] | None:
    if not callable(getattr(thing, "call_tool", None)):
        return None
    parameters = getattr(thing, "_server_params", None)
    if parameters is not None:  # an MCP workbench
        whose = (*inside, f"workbench {type(thing).__name__}")
        keys = ("read_timeout_seconds", "sse_read_timeout", "timeout")
        key = next((key for key in keys if hasattr(parameters, key)), "")
        value = as_seconds(getattr(parameters, key, None))
        given = key in getattr(parameters, "model_fields_set", ())
        kind: Kind = "none" if value is None else "explicit" if given else "default"
        return [Timeout("tool", whose, key or "timeout", value, kind)]
    tools = getattr(thing, "_tools", None)
    return of(tools, inside, seen) if isinstance(tools, (list, tuple)) else []


def _tool(thing: Any, inside: Path, seen: frozenset[int]) -> list[Timeout] | None:
    if not callable(getattr(thing, "run_json", None)):
        return None
    whose = (*inside, f"tool {_named(thing)}")
    for holder in (thing, getattr(thing, "server_params", None), getattr(thing, "_executor", None)):
        for key in ("timeout", "_timeout", "timeout_seconds"):
            value = as_seconds(getattr(holder, key, None))
            if value is not None:
                return [Timeout("tool", whose, key.lstrip("_"), value, "explicit")]
    inner = [getattr(thing, key, None) for key in ("_agent", "_team")]  # a tool that asks an agent or a team
    found = [each for part in inner if part is not None for each in of(part, whose, seen)]
    return [Timeout("tool", whose, "timeout", None, "none"), *found]
