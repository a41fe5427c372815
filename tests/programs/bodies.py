"""Model clients of AutoGen against a server that answers with given bytes, in given pieces."""

import re
import socketserver
import ssl
import threading
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Final, NamedTuple

import anthropic
import openai
from autogen_agentchat.agents import AssistantAgent
from autogen_core.models import ChatCompletionClient
from autogen_ext.models.anthropic import AnthropicChatCompletionClient
from autogen_ext.models.ollama import OllamaChatCompletionClient
from autogen_ext.models.openai import OpenAIChatCompletionClient

from autogen_streamtrace.commands.demo.scenarios.program import MODEL_INFO

HOST: Final = "127.0.0.1"
EVENTS: Final = "text/event-stream"
LINES: Final = "application/x-ndjson"
DOCUMENT: Final = "application/json"
TLS: Final = ssl.create_default_context()
"""Made once: it takes a twelfth of a second."""


class Answer(NamedTuple):
    """A response of status 200. Each part is a chunk of HTTP's own, so that it is a read of the client's own."""

    parts: Sequence[bytes]
    content_type: str = EVENTS
    encoding: str = ""
    whole: bool = True
    """HTTP's own end comes; else the connection is closed without it."""


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    answer = Answer(())

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left."""


class _Handler(socketserver.StreamRequestHandler):
    disable_nagle_algorithm = True

    def handle(self) -> None:
        while self._answered():
            pass

    def _answered(self) -> bool:
        size = 0
        while (line := self.rfile.readline()).strip():
            name, _, value = line.partition(b":")
            size = int(value) if name.lower() == b"content-length" else size
        if not line:
            return False
        self.rfile.read(size)
        assert isinstance(self.server, _Server)
        answer = self.server.answer
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {answer.content_type}\r\nTransfer-Encoding: chunked\r\n"
        if answer.encoding:
            head += f"Content-Encoding: {answer.encoding}\r\n"
        chunks = [b"%x\r\n%b\r\n" % (len(part), part) for part in answer.parts if part]
        self.wfile.write(b"".join([head.encode(), b"\r\n", *chunks, b"0\r\n\r\n" if answer.whole else b""]))
        return answer.whole


class Bodies:
    """The server, in a thread of its own. What ``answer`` is now, it says to every request."""

    def __init__(self) -> None:
        self._server = _Server((HOST, 0), _Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)

    @property
    def answer(self) -> Answer:
        return self._server.answer

    @answer.setter
    def answer(self, answer: Answer) -> None:
        self._server.answer = answer

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self._server.server_address[1]}"

    def __enter__(self) -> "Bodies":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def client(provider: str, url: str) -> ChatCompletionClient:
    """AutoGen's client for ``openai``, ``anthropic`` or ``ollama``, with a real SDK and HTTP client below."""
    if provider == "ollama":
        return OllamaChatCompletionClient(model="llama3", host=url, model_info=MODEL_INFO)
    common: dict[str, Any] = {"api_key": "none", "base_url": url, "max_retries": 0, "model_info": MODEL_INFO}
    sdk: Any = {"openai": openai, "anthropic": anthropic}[provider]
    common["http_client"] = sdk.DefaultAsyncHttpxClient(verify=TLS)
    if provider == "anthropic":
        return AnthropicChatCompletionClient(model="claude-sonnet-4", **common)
    return OpenAIChatCompletionClient(model="gpt-4o", **common)


async def close(client: ChatCompletionClient) -> None:
    """Closes its connections, which AutoGen's own ``close`` of Ollama's client leaves open."""
    own: Any = client._client if isinstance(client, OllamaChatCompletionClient) else client
    await own.close()


async def turn(client: ChatCompletionClient, streamed: bool = True) -> list[str]:
    """What a program sees of an agent's turn: its items, then the exceptions with which it ends."""
    seen: list[str] = []
    try:
        async for item in AssistantAgent("clerk", client, model_client_stream=streamed).run_stream(task="Well?"):
            seen.append(_DIFFERS.sub("", repr(item)))
    except Exception as error:
        link: BaseException | None = error
        while link is not None:
            seen.append(f"{type(link).__name__}: {link}")
            link = link.__cause__ or link.__context__
    return seen


_DIFFERS: Final = re.compile(r"id='[^']*'|datetime\.datetime\([^()]*(\([^()]*\))?[^()]*\)")
"""What differs from run to run."""
