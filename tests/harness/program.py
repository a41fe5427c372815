"""The user's program: real clients, agents and teams against the fault server."""

import asyncio
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from importlib.metadata import version
from typing import Any, Final, TypeVar, cast

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import AgentRuntime, CancellationToken
from autogen_core.models import ChatCompletionClient
from autogen_core.tools import BaseTool, FunctionTool
from autogen_ext.models.openai import OpenAIChatCompletionClient
from openai import DefaultAsyncHttpxClient, Timeout
from opentelemetry.trace import Tracer

from autogen_streamtrace.commands.chaos.model.reply import HALF
from autogen_streamtrace.commands.chaos.model_server import ModelServer
from autogen_streamtrace.commands.demo.scenarios.program import MODEL_INFO

T = TypeVar("T")

OPENAI_3: Final = version("openai").startswith("3.")
HTTPX: Final = "httpx2" if OPENAI_3 else "httpx"
"""The HTTP client below the installed OpenAI SDK."""
MODEL_NAME: Final = "gpt-4o"
AGENT_NAME: Final = "clerk"
TEAM_NAME: Final = "office"
TOOL_NAME: Final = "fetch_claim"
TASK: Final = "Where-is-my-claim-4711?"
API_KEY: Final = "sk-secret-api-key"
READ_TIMEOUT: Final = 0.5
"""Seconds, in the tests in which it strikes."""
NEVER: Final = 20.0
"""Seconds: a timeout that does not strike."""
TLS: Final = ssl.create_default_context()
"""Made once: each client of its own would take a twelfth of a second to make it."""
STALLED: Final = HALF + 1
"""Items of a turn that stalls: the task and its first words."""


class Program:
    """Builds clients, agents and teams. A ``url`` is a fault of the server with its arguments, or a whole base URL."""

    def __init__(self, server: ModelServer, tracer: Tracer) -> None:
        self.server = server
        self.tracer = tracer
        """Makes the user's own spans."""
        self.kept: list[object] = []
        """What outlives the program."""
        self._closing: list[Callable[[], Awaitable[None]]] = []

    def client(self, url: str, *, timeout: float = NEVER, retries: int = 0, **more: Any) -> ChatCompletionClient:
        """A model client; ``timeout`` in seconds is that of a read. ``more`` are options of AutoGen's."""
        fault, *arguments = url.split("/")
        options: dict[str, Any] = {
            "model": MODEL_NAME,
            "api_key": API_KEY,
            "base_url": url if "://" in url else self.server.url(fault, *arguments),
            "timeout": Timeout(NEVER, read=timeout),
            "max_retries": retries,
            "model_info": MODEL_INFO,
            "http_client": DefaultAsyncHttpxClient(verify=TLS),
            **more,
        }
        return self.keep(OpenAIChatCompletionClient(**cast(Any, options)))

    def keep(
        self, client: ChatCompletionClient, close: "Callable[[], Awaitable[None]] | None" = None
    ) -> ChatCompletionClient:
        """Closes it in the end, with ``close`` where its own leaves something open."""
        self.closing(close or client.close)
        return client

    def closing(self, close: Callable[[], Awaitable[None]]) -> None:
        """Has something closed in the end."""
        self._closing.append(close)

    def agent(
        self,
        url: str,
        name: str = AGENT_NAME,
        *,
        tools: Sequence[BaseTool[Any, Any]] = (),
        streaming: bool = True,
        **options: Any,
    ) -> AssistantAgent:
        """An agent that reflects on its tools' results. ``options`` are those of ``client``."""
        client = self.client(url, **options)
        return AssistantAgent(
            name, client, tools=list(tools), model_client_stream=streaming, reflect_on_tool_use=bool(tools)
        )

    def turn(self, url: str, token: CancellationToken | None = None, **options: Any) -> AsyncIterator[object]:
        """A turn of a new agent, not yet begun."""
        return self.agent(url, **options).run_stream(task=TASK, cancellation_token=token)

    def team(self, *members: ChatAgent, runtime: AgentRuntime | None = None) -> RoundRobinGroupChat:
        """A team in which each member speaks once."""
        ends = MaxMessageTermination(len(members) + 1)
        return RoundRobinGroupChat(list(members), termination_condition=ends, runtime=runtime, name=TEAM_NAME)

    def duo(self, url: str, other: str = "") -> RoundRobinGroupChat:
        """A team of two: ``clerk`` and ``checker``."""
        return self.team(self.agent(url), self.agent(other or url, "checker"))

    async def close(self) -> None:
        """Closes the clients."""
        for close in self._closing:
            await close()


Body = Callable[[Program], Awaitable[object]]


def tool(body: Callable[[], Awaitable[str]]) -> FunctionTool:
    """A function tool that does this."""

    async def fetch_claim(claim_id: str) -> str:
        return await body()

    return FunctionTool(fetch_claim, "Fetches a claim.", name=TOOL_NAME)


def turn(url: str, **options: Any) -> Body:
    """A program that reads one turn to its end."""
    return lambda program: read(program.turn(url, **options))


async def read(stream: AsyncIterator[object]) -> list[object]:
    """Reads to the end."""
    return [item async for item in stream]


async def read_some(stream: AsyncIterator[object], count: int = 4) -> None:
    """Reads so many items, then breaks."""
    async for _ in stream:
        count -= 1
        if not count:
            break


async def interrupted(
    stream: AsyncIterator[object], interrupt: "Callable[[asyncio.Future[object]], object]", count: int = STALLED
) -> None:
    """Reads in a task of its own, and interrupts it when so many items have come and the next one is asked for."""
    task = await begun(stream, count)
    interrupt(task)
    await task


async def begun(stream: AsyncIterator[object], count: int = STALLED) -> "asyncio.Future[object]":
    """Has a task of its own read, and returns it when so many items have come and the next one is asked for."""
    came = asyncio.Event()

    async def reading() -> None:
        left = count
        async for _ in stream:
            left -= 1
            if not left:
                came.set()

    task: asyncio.Future[object] = asyncio.ensure_future(reading())
    await came.wait()
    await asked()
    return task


async def in_time(work: Coroutine[Any, Any, T], at_it: asyncio.Event, seconds: float) -> T:
    """Gives work so much time once it is where it does not end by itself."""
    if sys.version_info < (3, 11):
        task = asyncio.ensure_future(work)
        await at_it.wait()
        return await asyncio.wait_for(task, seconds)
    async with asyncio.timeout(None) as deadline:

        async def begins() -> None:
            await at_it.wait()
            deadline.reschedule(asyncio.get_running_loop().time() + seconds)

        beginning = asyncio.ensure_future(begins())
        try:
            return await work
        finally:
            beginning.cancel()


async def asked() -> None:
    """Lets the event loop run all that is ready: what was asked for is then waited for at the socket."""
    for _ in range(20):
        await asyncio.sleep(0)
