"""What a request asks of a model: by which API, streamed or not, with which tools."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, cast

from autogen_streamtrace.commands.chaos.wire.message import Request

Api = Literal["completions", "responses", "messages", "chat", "contents"]
"""OpenAI's two, Anthropic's, Ollama's, Gemini's."""

ENDPOINT: Final = re.compile(
    r"(?:/v1|/openai/deployments/[^/]+)?/chat/(?P<completions>completions)$"
    r"|(?:/v1)?/(?P<responses>responses)$|(?:/v1)?/(?P<messages>messages)$|/api/(?P<chat>chat)$"
    r"|(?:/v1\w*)?/models/[^/]+:(?P<contents>generateContent|streamGenerateContent)$"
)
"""The end of a path: OpenAI's and Azure's, Anthropic's, Ollama's, Gemini's."""


def api(path: str) -> Api | None:
    """The API to which a path belongs."""
    found = ENDPOINT.search(path)
    return cast(Api, found.lastgroup) if found else None


@dataclass(frozen=True)
class Asked:
    """A request for a reply of a model."""

    api: Api
    body: Mapping[str, Any]
    arguments: tuple[str, ...] = ()
    """What the path says beside the manner."""
    serial: int = 0
    """The number of the request at its server."""
    path: str = ""

    @classmethod
    def of(cls, request: Request, arguments: tuple[str, ...] = (), serial: int = 0) -> "Asked":
        """Reads a request; one of an unknown path is taken for a chat completion's."""
        return cls(api(request.path) or "completions", request.document, arguments, serial, request.path)

    @property
    def streaming(self) -> bool:
        if self.api == "contents":
            return self.path.endswith(":streamGenerateContent")
        return bool(self.body.get("stream", self.api == "chat"))  # Ollama streams unless it is told not to

    @property
    def wants_usage(self) -> bool:
        return bool((self.body.get("stream_options") or {}).get("include_usage"))

    @property
    def answers_tool(self) -> bool:
        keys = ("messages", "input", "contents")
        said = [each for key in keys for each in self._list(key) if isinstance(each, dict)]
        return any(
            each.get("role") == "tool" or each.get("type") == "function_call_output" or _has_result(each)
            for each in said
        )

    @property
    def tool(self) -> Mapping[str, Any] | None:
        """The first tool on offer: its name and its parameters' schema."""
        tools = self.body.get("tools")
        if not tools:
            return None
        tool = tools[0].get("function") or next(iter(tools[0].get("functionDeclarations", ())), tools[0])
        return {"name": tool["name"], "parameters": tool.get("parameters") or tool.get("input_schema") or {}}

    def count(self, default: int) -> int:
        """The count that the path asks for."""
        return next((int(each) for each in self.arguments if each.isdecimal()), default)

    def _list(self, key: str) -> list[Any]:
        read = self.body.get(key)
        return read if isinstance(read, list) else []


def _has_result(message: Mapping[str, Any]) -> bool:
    """A tool's result in the words of Anthropic or Gemini."""
    content, parts = message.get("content"), message.get("parts")
    if isinstance(parts, list):
        return any("functionResponse" in part for part in parts)
    return isinstance(content, list) and any(block.get("type") == "tool_result" for block in content)
