"""An ASGI application whose URL sets how it streams. Put it behind your own proxy for ``probe --idle``.

``GET`` or ``POST`` any path, with these parameters in the query:

- ``chunks`` and ``pause``: so many events, so many seconds apart (10 and 0.1)
- ``first``: seconds before the response begins (0)
- ``silence``: seconds of silence after the first event, before the rest (0)

Each event has its number and the time at which it was sent, in seconds from the request. The last one is ``[DONE]``.
"""

import asyncio
import json
import math
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final
from urllib.parse import parse_qs

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

MOST_SECONDS: Final = 3600.0
MOST_CHUNKS: Final = 10_000
MARK: Final = (b"x-streamtrace-echo", b"1")
"""The header by which the probe knows it."""
_DEFAULTS: Final = {"chunks": 10.0, "pause": 0.1, "first": 0.0, "silence": 0.0}


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """Streams as the query asks; stops when the client leaves."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
    elif scope["type"] == "http":
        await _respond(scope, receive, send)
    else:
        raise ValueError(f"the echo application serves HTTP, not {scope['type']}")


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _respond(scope: Message, receive: Receive, send: Send) -> None:
    try:
        asked = _asked(scope.get("query_string", b"").decode("latin-1"))
    except ValueError as error:
        await send({"type": "http.response.start", "status": 400, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": f"{error}\n".encode()})
        return
    left = asyncio.ensure_future(_left(receive))
    streaming = asyncio.ensure_future(_stream(asked, send))
    try:
        await asyncio.wait([left, streaming], return_when=asyncio.FIRST_COMPLETED)
        if streaming.done():
            streaming.result()
    finally:
        for task in (left, streaming):
            task.cancel()


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _stream(asked: dict[str, float], send: Send) -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    await asyncio.sleep(asked["first"])
    headers = [(b"content-type", b"text/event-stream"), (b"cache-control", b"no-cache"), MARK]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    for number in range(int(asked["chunks"])):
        if number:
            await asyncio.sleep(asked["pause"] + (asked["silence"] if number == 1 else 0.0))
        event = json.dumps({"n": number, "at": round(loop.time() - began, 4)})
        await send({"type": "http.response.body", "body": f"data: {event}\n\n".encode(), "more_body": True})
    await send({"type": "http.response.body", "body": b"data: [DONE]\n\n"})


def _asked(query: str) -> dict[str, float]:
    given = parse_qs(query)
    asked = dict(_DEFAULTS)
    for key, default in _DEFAULTS.items():
        text = given.get(key, [str(default)])[-1]
        most = MOST_CHUNKS if key == "chunks" else MOST_SECONDS
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not 0 <= value <= most:
            raise ValueError(f"{key}={text} is not allowed; allowed: a number from 0 to {most:g}")
        asked[key] = value
    return asked
