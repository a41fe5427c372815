"""The program that is watched: real agents and a real team on the real OpenAI client."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, Protocol, cast
from urllib.parse import urlsplit

from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import ChatAgent
from autogen_agentchat.conditions import MaxMessageTermination
from autogen_agentchat.teams import RoundRobinGroupChat
from autogen_core import AgentRuntime
from autogen_core.models import ChatCompletionClient, ModelFamily, ModelInfo
from autogen_core.tools import FunctionTool
from autogen_ext.models.openai import OpenAIChatCompletionClient
from openai import DefaultAsyncHttpxClient

from autogen_streamtrace.commands.chaos.model.manners import SLOW_PAUSE
from autogen_streamtrace.commands.chaos.model_server import ModelServer

TASK: Final = "What has become of my claim?"
READ_TIMEOUT: Final = 1.0
"""Seconds, of a client whose server falls silent."""
PATIENCE: Final = 20.0
"""The same of every other client: a pause of a busy machine ends none of their streams."""
_SILENT: Final = frozenset({"stall", "stall_before_headers", "done_hang"})
"""Faults of a server that falls silent."""
MODEL_INFO: Final = ModelInfo(
    vision=False,
    function_calling=True,
    json_output=False,
    family=ModelFamily.UNKNOWN,
    structured_output=False,
    multiple_system_messages=True,
)


def read_timeout(fault: str) -> float:
    """Seconds that a client waits for the next byte of a server with this fault."""
    return READ_TIMEOUT if fault in _SILENT else PATIENCE


class Closing(Protocol):
    """A client that has to be closed."""

    async def close(self) -> None: ...


class Program:
    """Builds clients, agents and teams, and closes the clients in the end."""

    def __init__(self, server: ModelServer) -> None:
        self.server = server
        self._clients: list[Closing] = []

    def client(self, base_url: str, max_retries: int = 0) -> ChatCompletionClient:
        timeout = min(map(read_timeout, urlsplit(base_url).path.split("/")))
        options = {
            "model": "gpt-4o",
            "api_key": "none",
            "base_url": base_url,
            "timeout": timeout,
            "max_retries": max_retries,
            "model_info": MODEL_INFO,
            # The server is in this process: a proxy that the environment names would never reach it.
            "http_client": DefaultAsyncHttpxClient(trust_env=False, timeout=timeout),
        }
        client = OpenAIChatCompletionClient(**cast(Any, options))
        self._clients.append(client)
        return client

    def agent(
        self,
        base_url: str,
        *,
        name: str = "support_agent",
        tools: Sequence[FunctionTool] = (),
        streaming: bool = True,
        max_retries: int = 0,
    ) -> AssistantAgent:
        """An agent whose model streams come from this URL."""
        return AssistantAgent(
            name,
            self.client(base_url, max_retries),
            tools=list(tools),
            model_client_stream=streaming,
            reflect_on_tool_use=bool(tools),
        )

    def team(self, *members: ChatAgent, runtime: AgentRuntime | None = None) -> RoundRobinGroupChat:
        """A team that ends when each member has spoken once."""
        ends = MaxMessageTermination(len(members) + 1)
        return RoundRobinGroupChat(list(members), termination_condition=ends, runtime=runtime)

    def duo(self) -> RoundRobinGroupChat:
        """A team whose members speak slowly."""
        url = self.server.url("slow", 5)
        return self.team(self.agent(url, name="clerk"), self.agent(url, name="checker"))

    def closing(self, client: Closing) -> None:
        """Closes this client in the end."""
        self._clients.append(client)

    async def close(self) -> None:
        for client in self._clients:
            await client.close()


async def read(stream: AsyncIterator[object]) -> None:
    """Read to the end."""
    async for _ in stream:
        pass


async def read_some(stream: AsyncIterator[object], count: int = 4) -> None:
    """Read so many items, then leave."""
    async for _ in stream:
        count -= 1
        if not count:
            break


async def start_reading(stream: AsyncIterator[object], count: int = 4) -> "asyncio.Task[None]":
    """A task that has read so many items of a slow reply and waits for the next one."""
    read_enough = asyncio.Event()

    async def read_and_tell() -> None:
        left = count
        async for _ in stream:
            left -= 1
            if not left:
                read_enough.set()

    task = asyncio.ensure_future(read_and_tell())
    await read_enough.wait()
    await asyncio.sleep(SLOW_PAUSE / 3)  # to ask the socket for more takes some turns of the event loop
    return task
