"""What uvicorn and gunicorn serve: a stream. At `/block` its worker hangs; below `/v1` it is over at once.

It reads the request first: a process that ends with bytes unread resets its connection.
"""

import asyncio
import time
from typing import Any

EVENTS = 60


async def app(scope: Any, receive: Any, send: Any) -> None:
    assert scope["type"] == "http"
    whole = scope["path"].startswith("/v1/")
    while (await receive()).get("more_body"):
        pass
    head = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/event-stream")]}
    await send(head)
    for at in range(1 if whole else EVENTS):
        await send({"type": "http.response.body", "body": b'data: {"content": "word"}\n\n', "more_body": True})
        if scope["path"] == "/block" and at == EVENTS // 10:
            time.sleep(EVENTS)  # noqa: ASYNC251 - what gunicorn's timeout is for
        await asyncio.sleep(0 if whole else 0.1)
    await send({"type": "http.response.body", "body": b""})
