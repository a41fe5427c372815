"""A reply that the model writes, part by part."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any, Final

from autogen_streamtrace.commands.chaos.model.asked import Api, Asked
from autogen_streamtrace.commands.chaos.model.chat_lines import ChatDocument, ChatLines
from autogen_streamtrace.commands.chaos.model.completions import Document, EventStream, Form, error
from autogen_streamtrace.commands.chaos.model.contents import Content, ContentEvents
from autogen_streamtrace.commands.chaos.model.messages import Message, MessageEvents
from autogen_streamtrace.commands.chaos.model.responses import ResponseDocument, ResponseEvents
from autogen_streamtrace.commands.chaos.wire.message import Head, phrase
from autogen_streamtrace.commands.chaos.wire.passage import Passage

TEXT: Final = ["Your", "claim", "has", "arrived", "and", "will", "be", "paid", "within", "five", "working", "days."]
HALF: Final = len(TEXT) // 2
"""So many words come before a cut, unless it is told another place."""

WORD_PAUSE: Final = 0.01

FORMS: Final[Mapping[Api, tuple[type[Form], type[Form]]]] = {
    "completions": (EventStream, Document),
    "responses": (ResponseEvents, ResponseDocument),
    "messages": (MessageEvents, Message),
    "chat": (ChatLines, ChatDocument),
    "contents": (ContentEvents, Content),
}
"""How each writes a reply: streamed, unstreamed."""


def form(asked: Asked) -> Form:
    """How the reply to a request is written."""
    return FORMS[asked.api][0 if asked.streaming else 1]()


def refusal(api: Api, status: int) -> bytes:
    """The body of an HTTP error, as the API words it."""
    words = phrase(status) or "Overloaded"
    bodies: Mapping[Api, Any] = {
        "messages": {"type": "error", "error": {"type": _ANTHROPIC.get(status, "api_error"), "message": words}},
        "chat": {"error": words},
        "contents": {"error": {"code": status, "message": words, "status": words.upper().replace(" ", "_")}},
    }
    return json.dumps(bodies.get(api, error(words))).encode()


_ANTHROPIC: Final = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    529: "overloaded_error",
}
"""Source: https://docs.anthropic.com/en/api/errors"""


class Reply:
    """One reply. The head goes out before the first part."""

    def __init__(self, asked: Asked, passage: Passage) -> None:
        self.asked = asked
        self.form = form(asked)
        self._passage = passage
        self._begun = False

    async def send(self, *parts: bytes) -> None:
        """Send each part by itself."""
        self._begin()
        for part in parts:
            if part:
                self._passage.feed(part)
        await self._passage.room()

    async def words(self, count: int = len(TEXT), pause: float = WORD_PAUSE) -> None:
        """Send so many words of text, one at a time."""
        for index in range(count):
            await self.send(self.form.text(TEXT[index % len(TEXT)] + " "))
            await asyncio.sleep(pause)

    async def finish(self, reason: str = "stop") -> None:
        """Finish properly: finish reason, usage where it was asked for, terminator, the body's end."""
        await self.send(self.form.finish(reason))
        if self.asked.wants_usage:
            await self.send(self.form.usage())
        await self.send(self.form.done)
        self.end()

    def end(self) -> None:
        """End the body, whatever its contents."""
        self._begin()
        self._passage.over()

    def _begin(self) -> None:
        if self._begun:
            return
        self._begun = True
        number = f"req_{self.asked.serial}".encode()
        self._passage.head(Head(200, [(b"x-request-id", number), (b"Content-Type", self.form.content_type.encode())]))
        if info := self.form.info():
            self._passage.feed(info)
