"""OpenAI's other endpoints: the Responses API and the Assistants API, as far as AutoGen's own agents use them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from openai import AsyncOpenAI, DefaultAsyncHttpxClient

from autogen_streamtrace.commands.chaos.model_server import HOST

from .program import API_KEY, TLS

_CALL: Final = {"id": "call_1", "type": "function", "function": {"name": "own", "arguments": '{"word": "yes"}'}}
_SAID: Final = {"type": "text", "text": {"value": "approved", "annotations": []}}
_PART: Final = {"type": "output_text", "text": "approved", "annotations": []}


def _run(status: str, **more: Any) -> dict[str, Any]:
    return {"id": "run_1", "object": "thread.run", "thread_id": "thread_1", "status": status, **more}


def _list(*data: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": list(data), "has_more": False}


def _message() -> dict[str, Any]:
    return {"id": "msg_1", "object": "thread.message", "role": "assistant", "content": [_SAID]}


class _Api:
    """An assistant that asks for its tool once, then says that it is done."""

    def __init__(self, fails: bool) -> None:
        self._fails = fails
        self._answered = False

    def answer(self, method: str, path: str) -> tuple[int, dict[str, Any]]:
        """Status and body."""
        if self._fails:
            return 500, {"error": {"message": "The server is overloaded", "type": "server_error"}}
        if path.endswith("/submit_tool_outputs"):
            self._answered = True
            return 200, _run("in_progress")
        if path.endswith("/runs/run_1"):
            return 200, _run("completed") if self._answered else _run("requires_action", required_action=_action())
        if path.endswith("/messages"):
            return 200, _list(_message()) if method == "GET" else _message()
        return 200, _ANSWERS[path.rpartition("/")[2]]


_ANSWERS: Final[dict[str, dict[str, Any]]] = {
    "assistants": {"id": "asst_1", "object": "assistant", "model": "gpt-4o", "tools": []},
    "threads": {"id": "thread_1", "object": "thread"},
    "runs": _run("queued"),
    "responses": {
        "id": "resp_1",
        "object": "response",
        "status": "completed",
        "output": [{"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [_PART]}],
    },
}


def _action() -> dict[str, Any]:
    return {"type": "submit_tool_outputs", "submit_tool_outputs": {"tool_calls": [_CALL]}}


@asynccontextmanager
async def openai_api(*, fails: bool = False) -> AsyncIterator[AsyncOpenAI]:
    """A client of it."""
    api = _Api(fails)

    talks: list[asyncio.Task[Any] | None] = []

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.current_task())
        try:
            while True:
                line, *fields = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
                headers = {name.lower(): value for name, _, value in (field.partition(": ") for field in fields)}
                await reader.readexactly(int(headers.get("content-length", 0)))
                method, target, _ = line.split(" ")
                status, said = api.answer(method, target.partition("?")[0])
                body = json.dumps(said).encode()
                head = f"HTTP/1.1 {status} Said\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
                writer.write(head.encode() + b"\r\n\r\n" + body)
        except (EOFError, ConnectionError):
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(converse, HOST, 0)
    url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}/v1"
    http_client: Any = DefaultAsyncHttpxClient(verify=TLS)
    try:
        async with AsyncOpenAI(api_key=API_KEY, base_url=url, max_retries=0, http_client=http_client) as client:
            yield client
    finally:
        server.close()
        await asyncio.gather(*filter(None, talks), return_exceptions=True)
