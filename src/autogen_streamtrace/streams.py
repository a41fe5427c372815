"""What a program puts around its own streams, and how it asks which are open."""

from collections.abc import AsyncIterable
from typing import TYPE_CHECKING, TypeVar

from autogen_streamtrace import applied

if TYPE_CHECKING:
    from autogen_streamtrace.core.open_streams import OpenStream
    from autogen_streamtrace.flow.server_response import App, Receive, Scope, Send

Item = TypeVar("Item")


def trace_stream(source: AsyncIterable[Item], name: str) -> AsyncIterable[Item]:
    """Watches a stream of your own as one of the layer ``stream``.

    Args:
        source: any asynchronous iterable; it is read as it would be without this.
        name: what its spans and metrics call it. Few different ones.

    Returns:
        The same items. Where ``instrument()`` was not called, ``source`` itself.
    """
    tracker = applied.tracker
    if tracker is None:
        return source
    from autogen_streamtrace.flow import user_stream

    return user_stream.trace(tracker, source, name)


def open_streams() -> "list[OpenStream]":
    """The streams that are open in this process now, oldest first."""
    tracker = applied.tracker
    return [] if tracker is None else tracker.open_streams()


class ASGIMiddleware:
    """Watches what leaves through an ASGI application that is no Starlette or FastAPI one; those need none.

    It learns that the end user's connection went away where the application asks ``receive`` for messages.

    Args:
        app: any ASGI 3 application. Where ``instrument()`` was not called, it is called as it would be without this.
    """

    def __init__(self, app: "App") -> None:
        self.app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        tracker = applied.tracker
        if tracker is None:
            await self.app(scope, receive, send)
            return
        from autogen_streamtrace.flow import server_response

        await server_response.serve(tracker, self.app, scope, receive, send)
