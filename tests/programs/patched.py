"""What is patched, what has changed of it, and programs that pass through all of it."""

import asyncio
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

from autogen_agentchat.agents import AssistantAgent
from autogen_core.models import ChatCompletionClient
from opentelemetry.instrumentation import httpx as official
from programs.watching import Watching

from autogen_streamtrace import patches
from autogen_streamtrace.commands.chaos.model_server import ModelServer


def optional(name: str) -> ModuleType | None:
    try:
        return import_module(name)
    except ImportError:
        return None


CLIENTS: dict[str, Any] = {
    client: getattr(official, name)
    for client, name in (("httpx", "HTTPXClientInstrumentor"), ("httpx2", "HTTPX2ClientInstrumentor"))
    if optional(client) and hasattr(official, name)  # that of httpx2 came with 0.65b0
}
"""The official instrumentation of each HTTP client that is installed."""
http: Any = optional("httpx2") or import_module("httpx")
TARGETS = [module for patch in patches.TABLE if (module := optional(patch.module))]
MISSING = object()


def subclasses(cls: type) -> Iterator[type]:
    below: list[type] = type.__subclasses__(cls)
    for each in below:
        yield each
        yield from subclasses(each)


def attributes() -> dict[tuple[Any, str], Any]:
    """Every attribute of every module that is patched, of its classes and of all their subclasses.

    Of OpenTelemetry's the module's own alone: its classes keep what was begun once in a process.
    """
    found: dict[tuple[Any, str], Any] = {}
    for module in TARGETS:
        found.update({(module, name): value for name, value in list(vars(module).items())})
        package = module.__name__.partition(".")[0]
        if package == "opentelemetry":
            continue
        here: list[Any] = [each for each in list(vars(module).values()) if isinstance(each, type)]
        classes: set[type] = {each for each in here if each.__module__.startswith(package)}
        for cls in classes | {below for each in classes for below in subclasses(each)}:
            found.update({(cls, name): value for name, value in vars(cls).items() if not name.startswith("_abc_")})
    return found


def changed(before: dict[tuple[Any, str], Any]) -> set[str]:
    """What is there no more, or is another, or is new on an owner that was there before."""
    now, owners = attributes(), {owner for owner, _ in before}
    gone = before.keys() - now.keys()
    new = {key for key, value in now.items() if key[0] in owners and before.get(key, MISSING) is not value}
    return {f"{owner.__name__}.{name}" for owner, name in gone | new}


def turn(client: ChatCompletionClient) -> list[Any]:
    """Reads an agent's turn."""

    async def main() -> list[Any]:
        agent = AssistantAgent("writer", client, model_client_stream=True)
        return [item async for item in agent.run_stream(task="hello")]

    return asyncio.run(main())


def request(server: ModelServer, name: str = http.__name__) -> None:
    """One exchange, asynchronous, then synchronous."""
    http = import_module(name)

    async def main() -> None:
        async with http.AsyncClient() as client:
            await client.post(server.url("ok") + "/chat/completions", json={"stream": True})

    asyncio.run(main())
    with http.Client() as client:
        client.post(server.url("ok") + "/chat/completions", json={"stream": True})


def http_parents(told: Watching) -> list[str | None]:
    """The name of each http layer's span's parent."""
    names = {span.context.span_id: span.name for span in told.spans()}
    ours = [span for span in told.spans() if span.name == "http exchange"]
    return [names.get(span.parent.span_id, "unknown") if span.parent else None for span in ours]
