"""A request that the model server read, and its reply on the way to the client."""

import asyncio
import contextlib
import json
import socket
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, Literal

from autogen_streamtrace.commands.demo.chat_lines import ChatDocument, ChatLines
from autogen_streamtrace.commands.demo.completions import Document, EventStream, Form, error
from autogen_streamtrace.commands.demo.messages import Message, MessageEvents

TEXT: Final = ["Your", "claim", "has", "arrived", "and", "will", "be", "paid", "within", "five", "working", "days."]
HALF: Final = len(TEXT) // 2

WORD_PAUSE: Final = 0.01
HOLD_LIMIT: Final = 30.0
"""How long a silent reply waits for its client to go away, in seconds."""


Api = Literal["completions", "messages", "chat"]
"""OpenAI's, Anthropic's, Ollama's."""

FORMS: Final[Mapping[Api, tuple[type[Form], type[Form]]]] = {
    "completions": (EventStream, Document),
    "messages": (MessageEvents, Message),
    "chat": (ChatLines, ChatDocument),
}
"""How each writes a reply: streamed, unstreamed."""


@dataclass(frozen=True)
class Request:
    """A request for a reply of a model."""

    api: Api
    fault: str
    arguments: tuple[str, ...]
    attempt: int
    """How many requests this path has had, this one included."""
    serial: int
    body: Mapping[str, Any] = field(default_factory=dict)

    @property
    def streaming(self) -> bool:
        return bool(self.body.get("stream"))

    @property
    def wants_usage(self) -> bool:
        return bool((self.body.get("stream_options") or {}).get("include_usage"))

    @property
    def answers_tool(self) -> bool:
        messages = self.body.get("messages", ())
        return any(message.get("role") == "tool" or _has_result(message) for message in messages)

    @property
    def tool(self) -> Mapping[str, Any] | None:
        """The first tool on offer: its name and its parameters' schema."""
        tools = self.body.get("tools")
        if not tools:
            return None
        tool = tools[0].get("function", tools[0])
        return {"name": tool["name"], "parameters": tool.get("parameters") or tool.get("input_schema") or {}}

    def count(self, default: int) -> int:
        """The count that the URL asks for."""
        return int(self.arguments[0]) if self.arguments else default


def _has_result(message: Mapping[str, Any]) -> bool:
    """A tool's result in Anthropic's words."""
    content = message.get("content")
    return isinstance(content, list) and any(block.get("type") == "tool_result" for block in content)


class Reply:
    """One HTTP reply. The head goes out before the first part; a fault that never calls `end` cuts the connection."""

    def __init__(self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.request = request
        self.form: Form = FORMS[request.api][0 if request.streaming else 1]()
        self.ended = False
        self._reader = reader
        self._writer = writer
        self._begun = False
        self._gzip: zlib._Compress | None = None

    def compress(self) -> None:
        """Send the body with `Content-Encoding: gzip`; to be called before the first part."""
        self._gzip = zlib.compressobj(wbits=zlib.MAX_WBITS | 16)

    async def send(self, *parts: bytes) -> None:
        """Send each part as one HTTP chunk."""
        if not self._begun:
            self._begin()
        for part in parts:
            self._frame(part)
        await self._writer.drain()

    async def words(self, count: int = len(TEXT), pause: float = WORD_PAUSE) -> None:
        """Send so many words of text, a chunk each."""
        for index in range(count):
            await self.send(self.form.text(TEXT[index % len(TEXT)] + " "))
            await asyncio.sleep(pause)

    async def finish(self, reason: str = "stop") -> None:
        """Finish properly: finish reason, usage where it was asked for, terminator, HTTP's end."""
        await self.send(self.form.finish(reason))
        if self.request.wants_usage:
            await self.send(self.form.usage())
        await self.send(self.form.done)
        await self.end()

    async def end(self) -> None:
        """End the body as HTTP requires, whatever its contents."""
        if not self._begun:
            self._begin()
        if self._gzip:
            self._chunk(self._gzip.flush())
        self._writer.write(b"0\r\n\r\n")
        await self._writer.drain()
        self.ended = True

    async def refuse(self, status: int, headers: Mapping[str, str] | None = None) -> None:
        """Answer with an HTTP error."""
        body = json.dumps(error(HTTPStatus(status).phrase)).encode()
        self._head(status, {"Content-Type": "application/json", "Content-Length": str(len(body)), **(headers or {})})
        self._writer.write(body)
        await self._writer.drain()
        self.ended = True

    async def hold(self) -> None:
        """Send nothing more until the client has gone."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._reader.read(1), HOLD_LIMIT)

    def reset(self) -> None:
        """Cut the connection with a TCP reset."""
        linger_for_no_time = struct.pack("ii", 1, 0)
        self._writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_for_no_time)
        self._writer.transport.abort()

    def _begin(self) -> None:
        headers = {"Content-Type": self.form.content_type, "Transfer-Encoding": "chunked"}
        if self._gzip:
            headers["Content-Encoding"] = "gzip"
        self._head(HTTPStatus.OK, headers)
        self._begun = True
        self._frame(self.form.info())

    def _head(self, status: int, headers: Mapping[str, str]) -> None:
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", f"x-request-id: req_{self.request.serial}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self._writer.write("\r\n".join([*lines, "", ""]).encode())

    def _frame(self, part: bytes) -> None:
        if self._gzip and part:
            part = self._gzip.compress(part) + self._gzip.flush(zlib.Z_SYNC_FLUSH)
        self._chunk(part)

    def _chunk(self, part: bytes) -> None:
        if part:  # an empty chunk would end the body
            self._writer.write(b"%x\r\n%s\r\n" % (len(part), part))
