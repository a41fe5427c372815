"""Verdicts that many tests expect."""

import sys
from dataclasses import replace
from typing import Final

from autogen_streamtrace.commands.chaos.model_server import HOST

from .program import HTTPX, READ_TIMEOUT
from .seen import Told

CANCELLED_ERROR: Final = "asyncio.exceptions.CancelledError"
TIMEOUT_ERROR: Final = "TimeoutError" if sys.version_info >= (3, 11) else "asyncio.exceptions.TimeoutError"


def done(by: str = "model") -> Told:
    """It completed."""
    return Told("completed", by, early=False, fault=False, status="UNSET")


def timed_out(seconds: float = READ_TIMEOUT) -> Told:
    """The HTTP client's read timeout struck."""
    cause = f"{HTTPX}.ReadTimeout"
    limit = ("http_client.read_timeout", seconds, "configured")
    return Told("timeout", "http_client", "http", HOST, cause, "http", limit, error_type=cause)


def disconnected(cause: str, host: str = HOST) -> Told:
    """The connection was lost, or never came about."""
    return Told("disconnected", "upstream", "http", host, cause, "http", error_type=cause)


TRUNCATED: Final = Told("truncated", "upstream", error_type="truncated")


def left(layer: str = "agent") -> Told:
    """The reader left the outermost stream, of this layer, with an item in its hands."""
    return Told("abandoned", "caller", "caller", "", "GeneratorExit", layer, fault=False, status="UNSET")


def cancelled(on: str = "http", name: str = HOST, *, by: str = "task", layer: str = "agent") -> Told:
    """The reader of the outermost stream, of this layer, was cancelled while it waited for this."""
    return Told("cancelled", "caller", on, name, CANCELLED_ERROR, layer, cancelled_by=by, fault=False, status="UNSET")


def struck(seconds: float, on: str = "http", name: str = HOST, *, layer: str = "agent") -> Told:
    """The same, by a deadline of the program's."""
    told = cancelled(on, name, by="deadline", layer=layer)
    limit = ("asyncio.timeout", seconds, "configured")
    return replace(told, limit=limit, fault=True, status="ERROR", error_type=CANCELLED_ERROR)


def origin(told: Told) -> Told:
    """The same, where it arose."""
    return replace(told, origin=True)
