"""The ways in which a program asks a model through an SDK, without a framework."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Final, TypeVar, cast

import anthropic
import ollama
import openai
from harness import API_KEY, MODEL_NAME, NEVER, Program
from harness.program import TLS

GEMINI: Final = "gemini-2.5-flash"
MESSAGES: Final[Any] = [{"role": "user", "content": "Where is my claim?"}]


ClientT = TypeVar("ClientT", openai.AsyncOpenAI, openai.OpenAI, anthropic.AsyncAnthropic, anthropic.Anthropic)


def openai_client(program: Program, fault: str, timeout: float = NEVER) -> openai.AsyncOpenAI:
    http = openai.DefaultAsyncHttpxClient(verify=TLS)
    return _closed(program, openai.AsyncOpenAI(base_url=_root(program, fault) + "/v1", **_options(http, timeout)))


def sync_openai_client(program: Program, fault: str, timeout: float = NEVER) -> openai.OpenAI:
    http = openai.DefaultHttpxClient(verify=TLS)
    return _closed(program, openai.OpenAI(base_url=_root(program, fault) + "/v1", **_options(http, timeout)))


def anthropic_client(program: Program, fault: str, timeout: float = NEVER) -> anthropic.AsyncAnthropic:
    http = anthropic.DefaultAsyncHttpxClient(verify=TLS)
    return _closed(program, anthropic.AsyncAnthropic(base_url=_root(program, fault), **_options(http, timeout)))


def sync_anthropic_client(program: Program, fault: str, timeout: float = NEVER) -> anthropic.Anthropic:
    http = anthropic.DefaultHttpxClient(verify=TLS)
    return _closed(program, anthropic.Anthropic(base_url=_root(program, fault), **_options(http, timeout)))


def _options(http: Any, timeout: float) -> dict[str, Any]:
    return {"api_key": API_KEY, "max_retries": 0, "timeout": timeout, "http_client": http}


def _closed(program: Program, client: ClientT) -> ClientT:
    """The client, which the program closes at its end."""
    if isinstance(client, (openai.AsyncOpenAI, anthropic.AsyncAnthropic)):
        program.closing(client.close)
    else:
        program.closing(lambda: asyncio.to_thread(client.close))
    return client


def _root(program: Program, fault: str) -> str:
    """The URL of a fault of the server, which may be a whole URL itself."""
    if "://" in fault:
        return fault
    name, *arguments = fault.split("/")
    return program.server.root(name, *arguments)


Ask = Callable[[Program, str, float], Awaitable[Any]]
"""Of a program, a fault and a read timeout in seconds: asks, and reads the reply to its end."""


async def chat(program: Program, fault: str, timeout: float = NEVER) -> Any:
    """A stream of chat completions."""
    client = openai_client(program, fault, timeout)
    return await client.chat.completions.create(model=MODEL_NAME, messages=MESSAGES, stream=True)


async def responses(program: Program, fault: str, timeout: float = NEVER) -> Any:
    """A stream of the Responses API."""
    client = openai_client(program, fault, timeout)
    return await client.responses.create(model=MODEL_NAME, input="Where is my claim?", stream=True)


async def messages(program: Program, fault: str, timeout: float = NEVER) -> Any:
    """A stream of Anthropic's."""
    client = anthropic_client(program, fault, timeout)
    return await client.messages.create(model=MODEL_NAME, max_tokens=99, messages=MESSAGES, stream=True)


def sync_chat(program: Program, fault: str, timeout: float = NEVER) -> Any:
    client = sync_openai_client(program, fault, timeout)
    return client.chat.completions.create(model=MODEL_NAME, messages=MESSAGES, stream=True)


def sync_responses(program: Program, fault: str, timeout: float = NEVER) -> Any:
    client = sync_openai_client(program, fault, timeout)
    return client.responses.create(model=MODEL_NAME, input="Where is my claim?", stream=True)


def sync_messages(program: Program, fault: str, timeout: float = NEVER) -> Any:
    client = sync_anthropic_client(program, fault, timeout)
    return client.messages.create(model=MODEL_NAME, max_tokens=99, messages=MESSAGES, stream=True)


def sync_ollama(program: Program, fault: str, timeout: float = NEVER) -> Any:
    client = ollama.Client(_root(program, fault), timeout=timeout)
    program.closing(lambda: asyncio.to_thread(client._client.close))
    return client.chat(MODEL_NAME, MESSAGES, stream=True)


async def async_ollama(program: Program, fault: str, timeout: float = NEVER) -> Any:
    client = ollama.AsyncClient(_root(program, fault), timeout=timeout)
    program.closing(client._client.aclose)
    return await client.chat(MODEL_NAME, MESSAGES, stream=True)


def _read(begin: Callable[..., Awaitable[Any]]) -> Ask:
    async def ask(program: Program, fault: str, timeout: float) -> list[Any]:
        return [item async for item in await begin(program, fault, timeout)]

    return ask


def _read_in_thread(begin: Callable[..., Any]) -> Ask:
    async def ask(program: Program, fault: str, timeout: float) -> list[Any]:
        return await asyncio.to_thread(lambda: list(begin(program, fault, timeout)))

    return ask


async def _chat_helper(program: Program, fault: str, timeout: float) -> None:
    client = openai_client(program, fault, timeout)
    async with client.chat.completions.stream(model=MODEL_NAME, messages=MESSAGES) as stream:
        async for _ in stream:
            pass


async def _responses_helper(program: Program, fault: str, timeout: float) -> None:
    client = openai_client(program, fault, timeout)
    async with client.responses.stream(model=MODEL_NAME, input="Where is my claim?") as stream:
        async for _ in stream:
            pass


async def _messages_helper(program: Program, fault: str, timeout: float) -> None:
    client = anthropic_client(program, fault, timeout)
    async with client.messages.stream(model=MODEL_NAME, max_tokens=99, messages=MESSAGES) as stream:
        await stream.get_final_message()


def groq_client(program: Program, fault: str, timeout: float = NEVER) -> Any:
    import groq

    client = groq.AsyncGroq(
        base_url=_root(program, fault),
        api_key=API_KEY,
        max_retries=0,
        timeout=timeout,
        http_client=groq.DefaultAsyncHttpxClient(verify=TLS),
    )
    program.closing(client.close)
    return client


def genai_client(program: Program, fault: str, timeout: float = NEVER) -> Any:
    from google import genai  # takes a second to import, which only these tests need

    options: Any = {"base_url": _root(program, fault), "timeout": int(timeout * 1000)}
    client = genai.Client(api_key=API_KEY, vertexai=False, http_options=options)
    if hasattr(client, "close"):  # not in its oldest versions
        program.closing(client.aio.aclose)
        program.closing(lambda: asyncio.to_thread(client.close))
    return client


async def groq_chat(program: Program, fault: str, timeout: float = NEVER) -> Any:
    client = groq_client(program, fault, timeout)
    return await client.chat.completions.create(model=MODEL_NAME, messages=MESSAGES, stream=True)


async def contents(program: Program, fault: str, timeout: float = NEVER) -> Any:
    """A stream of Gemini's."""
    models = genai_client(program, fault, timeout).aio.models
    return await models.generate_content_stream(model=GEMINI, contents="Where is my claim?")


def sync_contents(program: Program, fault: str, timeout: float = NEVER) -> Any:
    models = genai_client(program, fault, timeout).models
    return models.generate_content_stream(model=GEMINI, contents="Where is my claim?")


async def _raw(program: Program, fault: str, timeout: float) -> None:
    completions = openai_client(program, fault, timeout).chat.completions
    raw = await completions.with_raw_response.create(model=MODEL_NAME, messages=MESSAGES, stream=True)
    async for _ in cast(Any, raw.parse()):
        pass


async def _streaming(program: Program, fault: str, timeout: float) -> None:
    completions = openai_client(program, fault, timeout).chat.completions.with_streaming_response
    async with completions.create(model=MODEL_NAME, messages=MESSAGES, stream=True) as raw:
        async for _ in await raw.parse():
            pass


async def _messages_raw(program: Program, fault: str, timeout: float) -> None:
    client = anthropic_client(program, fault, timeout).messages
    raw = await client.with_raw_response.create(model=MODEL_NAME, max_tokens=99, messages=MESSAGES, stream=True)
    parsed: Any = raw.parse()
    async for _ in await parsed if hasattr(parsed, "__await__") else parsed:  # since anthropic 1
        pass


@dataclass(frozen=True)
class Way:
    """One of them."""

    ask: Ask
    provider: str
    """``gen_ai.provider.name``."""
    stop: str = "stop"
    """Its word for a reply that is whole."""


WAYS: Final = {
    "chat": Way(_read(chat), "openai"),
    "responses": Way(_read(responses), "openai", "completed"),
    "messages": Way(_read(messages), "anthropic", "end_turn"),
    "ollama": Way(_read(async_ollama), "ollama"),
    "chat in a thread": Way(_read_in_thread(sync_chat), "openai"),
    "responses in a thread": Way(_read_in_thread(sync_responses), "openai", "completed"),
    "messages in a thread": Way(_read_in_thread(sync_messages), "anthropic", "end_turn"),
    "ollama in a thread": Way(_read_in_thread(sync_ollama), "ollama"),
    "contents": Way(_read(contents), "gcp.gemini", "STOP"),
    "contents in a thread": Way(_read_in_thread(sync_contents), "gcp.gemini", "STOP"),
    "groq": Way(_read(groq_chat), "groq"),
    "chat.completions.stream()": Way(_chat_helper, "openai"),
    "responses.stream()": Way(_responses_helper, "openai", "completed"),
    "messages.stream()": Way(_messages_helper, "anthropic", "end_turn"),
    "chat, raw": Way(_raw, "openai"),
    "chat, raw and streamed": Way(_streaming, "openai"),
    "messages, raw": Way(_messages_raw, "anthropic", "end_turn"),
}
