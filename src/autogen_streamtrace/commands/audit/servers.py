"""The timeouts of ASGI servers: of their configuration objects, and of the command lines that start them.

Sources: https://uvicorn.dev/settings/#timeouts, https://gunicorn.org/reference/settings/,
https://hypercorn.readthedocs.io/en/latest/how_to_guides/configuring.html, https://github.com/emmett-framework/granian,
https://github.com/django/daphne
"""

import os
import runpy
import shlex
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from autogen_streamtrace.commands.audit.timeouts import Kind, Timeout, as_seconds


class _Setting(NamedTuple):
    default: float | None
    """Seconds; None: it never strikes."""
    bounds: bool = False
    """It bounds how long a stream may go on."""
    options: tuple[str, ...] = ()
    """On the command line, where that is not the setting's name."""


SERVERS: Final[dict[str, dict[str, _Setting]]] = {
    "uvicorn": {
        "timeout_keep_alive": _Setting(5.0),
        "timeout_graceful_shutdown": _Setting(None, bounds=True),
        "ws_ping_interval": _Setting(20.0),
        "ws_ping_timeout": _Setting(20.0),
    },
    "gunicorn": {
        "timeout": _Setting(30.0, options=("timeout", "t")),
        "graceful_timeout": _Setting(30.0, bounds=True),
        "keepalive": _Setting(2.0, options=("keep_alive",)),
    },
    "hypercorn": {
        "keep_alive_timeout": _Setting(5.0, options=("keep_alive",)),
        "graceful_timeout": _Setting(3.0, bounds=True),
        "read_timeout": _Setting(None),
        "websocket_ping_interval": _Setting(None),
    },
    "granian": {
        "workers_kill_timeout": _Setting(None, bounds=True),
        "http2_keep_alive_timeout": _Setting(20.0),
    },
    "daphne": {
        "http_timeout": _Setting(None, bounds=True, options=("http_timeout", "t")),
        "websocket_timeout": _Setting(86_400.0, bounds=True),
        "ping_interval": _Setting(20.0),
        "ping_timeout": _Setting(30.0),
        "application_close_timeout": _Setting(10.0),
    },
}
KEEP_ALIVES: Final = ("timeout_keep_alive", "keepalive", "keep_alive_timeout")
"""For how long each server keeps an idle connection."""
_READS_VARIABLES: Final = ("uvicorn", "granian")
"""Servers whose options stand in the environment too, as ``<SERVER>_<OPTION>``."""
_CONFIGS: Final = ("config", "c")


def of(thing: Any) -> list[Timeout]:
    """The timeouts of a server's configuration object; empty where it is none."""
    for name, more in (("uvicorn", ()), ("gunicorn", ("worker_class",))):
        config = getattr(thing, "config", thing) if name == "uvicorn" else thing
        if all(hasattr(config, key) for key in (*SERVERS[name], *more)):
            return list(_timeouts(name, {key: getattr(config, key) for key in SERVERS[name]}))
    return []


def of_command(command: str) -> list[Timeout]:
    """The timeouts that a server's command line sets, or its other sources; the defaults of the others.

    Raises:
        ValueError: it starts no server that is known, a value is no number, or gunicorn's configuration file cannot be
            read.
    """
    words = shlex.split(command)
    at = next((at for at, word in enumerate(words) if Path(word).name in SERVERS), None)
    if at is None:
        raise ValueError(f"server {command!r}: none of {', '.join(SERVERS)} is started there")
    name = Path(words[at]).name
    given = {**_variables(name), **dict(_options(words[at + 1 :]))}
    values: dict[str, Any] = {}
    if name == "gunicorn":
        set_before = dict(word.split("=", 1) for word in words[:at] if "=" in word)
        more = set_before.get("GUNICORN_CMD_ARGS", os.environ.get("GUNICORN_CMD_ARGS", ""))
        given = {**dict(_options(shlex.split(more))), **given}
        values = _gunicorns_file(given)
    unread = _config(given) if name == "hypercorn" else ""
    return list(_timeouts(name, {**values, **_numbers(name, given)}, unread=bool(unread)))


def _variables(name: str) -> dict[str, str]:
    if name not in _READS_VARIABLES:
        return {}
    named = {key: os.environ.get(f"{name}_{key}".upper()) for key in SERVERS[name]}
    return {key: text for key, text in named.items() if text}


def _timeouts(name: str, values: Mapping[str, Any], *, unread: bool = False) -> Iterator[Timeout]:
    """Args: unread: whether a file that was not read may set timeouts that ``values`` lacks."""
    for key, setting in SERVERS[name].items():
        seconds = as_seconds(values.get(key, setting.default))
        kind: Kind = "none" if seconds is None else "default" if seconds == setting.default else "explicit"
        if key not in values and unread:
            seconds, kind = None, "unknown"
        yield Timeout("server", (name,), key, seconds, kind, setting.bounds)


def _numbers(name: str, given: Mapping[str, str]) -> dict[str, float]:
    found = {}
    for key, setting in SERVERS[name].items():
        for option in setting.options or (key,):
            if option in given:
                found[key] = _number(option, given[option])
    return found


def _number(option: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"server option {option} = {text!r}: not a number of seconds") from None


def _config(given: Mapping[str, str]) -> str:
    return next((given[option] for option in _CONFIGS if option in given), "")


def _gunicorns_file(given: Mapping[str, str]) -> dict[str, Any]:
    """What gunicorn's configuration file sets, which is a Python program: ``-c``, else ``gunicorn.conf.py``.

    Source: https://gunicorn.org/reference/settings/#config
    """
    named = _config(given)
    place = named.removeprefix("file:") or "./gunicorn.conf.py"
    path = Path(given.get("chdir", ""), place) if not named else Path(place)
    try:
        if place.startswith("python:"):
            found = runpy.run_module(place.removeprefix("python:"))
        elif named or path.exists():
            found = runpy.run_path(str(path))
        else:
            found = {}
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())
        raise ValueError(f"gunicorn's configuration {place} cannot be read: {type(error).__name__}: {said}") from None
    return {key: found[key] for key in SERVERS["gunicorn"] if key in found}


def _options(words: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Names, as settings are called, and values of ``--a-b c``, ``--a-b=c``, ``-t c`` and ``-tc``."""
    waiting = ""
    for word in words:
        if word.startswith("--"):
            option, equals, text = word[2:].partition("=")
            waiting = option.replace("-", "_")
            if equals:
                yield waiting, text
                waiting = ""
        elif word.startswith("-") and len(word) > 1 and not waiting:
            waiting = word[1]
            if len(word) > 2:
                yield waiting, word[2:].removeprefix("=")
                waiting = ""
        elif waiting:
            yield waiting, word
            waiting = ""
