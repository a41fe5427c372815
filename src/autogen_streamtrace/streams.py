"""The public functions for a program's own streams and applications, and the list of open streams."""

from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, TypeVar

from autogen_streamtrace import applied

if TYPE_CHECKING:
    from autogen_streamtrace.core.open_streams import OpenStream
    from autogen_streamtrace.flow.asgi.response import App, Receive, Scope, Send

Item = TypeVar("Item")


def trace_stream(source: AsyncIterable[Item], name: str) -> AsyncIterable[Item]:
    """Watches a stream of your own, on the layer ``stream``.

    Args:
        source: any asynchronous iterable.
        name: its name on spans and metrics. Use few different names.

    Returns:
        An iterable of the same items. Where ``instrument()`` was not called, ``source`` itself.
    """
    tracker = applied.tracker
    if tracker is None:
        return source
    from autogen_streamtrace.flow.python import user_stream

    return user_stream.trace(tracker, source, name)


def open_streams() -> "list[OpenStream]":
    """The streams that are open in this process now, oldest first."""
    tracker = applied.tracker
    return [] if tracker is None else tracker.open_streams()


class ASGIMiddleware:
    """Watches the responses of an ASGI application. Starlette and FastAPI applications are watched without it.

    It notices that the end user's connection went away when the application calls ``receive``.

    Args:
        app: any ASGI 3 application. Where ``instrument()`` was not called, calls go straight to it.
    """

    def __init__(self, app: "App") -> None:
        self.app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        tracker = applied.tracker
        if tracker is None:
            await self.app(scope, receive, send)
            return
        from autogen_streamtrace.flow.asgi import response

        await response.serve(tracker, self.app, scope, receive, send)
