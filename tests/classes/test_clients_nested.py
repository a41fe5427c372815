"""Clients around clients, and clients of the user's own: one ``model`` span, the outermost's."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any

import pytest
from autogen_core.models import ChatCompletionClient, CreateResult, UserMessage
from autogen_ext.models.cache import ChatCompletionCache
from autogen_ext.models.replay import ReplayChatCompletionClient
from harness import HOST, HTTPX, READ_TIMEOUT, TASK, TRUNCATED, Program, done, origin, read, timed_out, watch
from harness.scripted import INFO, model

ASKED = [UserMessage(content=TASK, source="user")]


class Wrapper(ReplayChatCompletionClient):
    """A client of the user's own around others."""

    def __init__(self, *inner: ChatCompletionClient) -> None:
        super().__init__(["unused"], model_info=INFO)
        self.inner = inner

    async def create(self, *args: Any, **kwargs: Any) -> CreateResult:
        return await self.inner[0].create(*args, **kwargs)


class Passing(Wrapper):
    async def create_stream(self, *args: Any, **kwargs: Any) -> Any:
        async for item in self.inner[0].create_stream(*args, **kwargs):
            yield item


class Words(Wrapper):
    """Keeps the result to itself."""

    async def create_stream(self, *args: Any, **kwargs: Any) -> Any:
        async for item in self.inner[0].create_stream(*args, **kwargs):
            if isinstance(item, str):
                yield item


class Fallback(Wrapper):
    """Asks the next one where one fails."""

    async def create_stream(self, *args: Any, **kwargs: Any) -> Any:
        for each in self.inner:
            try:
                async for item in each.create_stream(*args, **kwargs):
                    yield item
                return
            except Exception:
                continue


class Iterator:
    """What another client streams, in an iterator that is no generator."""

    def __init__(self, source: AsyncIterator[object]) -> None:
        self.source = source

    def __aiter__(self) -> AsyncIterator[object]:
        return self

    async def __anext__(self) -> object:
        return await self.source.__anext__()


class Iterating(Wrapper):
    def create_stream(self, *args: Any, **kwargs: Any) -> Any:
        return Iterator(self.inner[0].create_stream(*args, **kwargs))


@pytest.mark.parametrize("outer", [ChatCompletionCache, Passing, Iterating])
def test_a_client_around_another_is_one_stream_with_the_inner_ones_evidence(outer: Any) -> None:
    async def body(program: Program) -> None:
        await read(outer(program.client("usage_last")).create_stream(ASKED))

    seen = watch(body)
    assert seen.layers == ["http", "model"]
    assert seen.told("model", "http") == [done(), done()]
    one = seen.one("model")
    assert (one.name, one["terminator"], one["attempts"]) == (outer.__name__, True, 1)
    assert one["gen_ai.response.finish_reasons"] == ("stop",)
    assert (one["gen_ai.usage.input_tokens"], one["gen_ai.usage.output_tokens"]) == (3, 12)


def test_what_an_outer_client_keeps_to_itself_the_inner_one_tells() -> None:
    seen = watch(lambda program: read(Words(program.client("usage_last")).create_stream(ASKED)))
    one = seen.one("model")
    assert one.told == done()
    assert (one["gen_ai.usage.output_tokens"], one["gen_ai.response.finish_reasons"]) == (12, ("stop",))


def test_an_unstreamed_call_through_a_client_around_another() -> None:
    seen = watch(lambda program: Passing(program.client("ok")).create(ASKED))
    assert seen.told("model", "http") == [done(), done()]
    assert seen.one("model")["gen_ai.usage.output_tokens"] == 12


def test_a_client_around_one_around_one() -> None:
    seen = watch(lambda program: read(ChatCompletionCache(Passing(program.client("ok"))).create_stream(ASKED)))
    assert seen.layers == ["http", "model"]
    assert seen.one("model").told == done()


@pytest.mark.parametrize("outer", [ChatCompletionCache, Passing])
@pytest.mark.parametrize(("fault", "told"), [("stall", timed_out()), ("silent", TRUNCATED)])
def test_a_cut_below_an_inner_client_is_told_of_the_outer_one(outer: Any, fault: str, told: Any) -> None:
    async def body(program: Program) -> None:
        await read(outer(program.client(fault, timeout=READ_TIMEOUT)).create_stream(ASKED))

    assert watch(body).told("model", "http") == [told, origin(told)]


def test_an_answer_out_of_the_cache_has_no_exchange() -> None:
    async def body(program: Program) -> None:
        cache = ChatCompletionCache(program.client("ok"))
        await read(cache.create_stream(ASKED))
        await read(cache.create_stream(ASKED))

    seen = watch(body)
    assert seen.layers == ["http", "model", "model"]
    second = seen.of("model")[1]
    assert (second.told, second["attempts"]) == (done(), 0)


def test_a_client_that_falls_back_on_another_completes_with_two_attempts() -> None:
    async def body(program: Program) -> None:
        await read(Fallback(program.client("http_503"), program.client("ok")).create_stream(ASKED))

    seen = watch(body)
    assert seen.one("model").told == done()
    assert seen.one("model")["attempts"] == 2
    assert [http.told.outcome for http in seen.of("http")] == ["rejected", "completed"]


def test_the_sdks_own_retries_are_counted_under_the_outer_client() -> None:
    seen = watch(lambda program: read(Passing(program.client("retry/nested", retries=2)).create_stream(ASKED)))
    assert (seen.one("model").told, seen.one("model")["attempts"]) == (done(), 2)


def test_a_client_class_that_is_defined_while_watched() -> None:
    async def body(program: Program) -> None:
        class Mixin:
            async def create_stream(self, *args: Any, **kwargs: Any) -> AsyncGenerator[Any, None]:
                async for item in program.client("ok").create_stream(*args, **kwargs):
                    yield item

        class Late(Mixin, Wrapper):
            pass

        await read(Late(model()).create_stream(ASKED))

    seen = watch(body)
    assert seen.one("model", "Late").told == done()
    assert seen.layers == ["http", "model"]


@pytest.mark.once
def test_a_body_that_is_no_text_is_not_judged_by_its_end() -> None:
    """As Bedrock's event streams are, in frames with checksums."""
    http = pytest.importorskip(HTTPX)

    class Framed(Wrapper):
        async def create_stream(self, *args: Any, **kwargs: Any) -> Any:
            async with http.AsyncClient(verify=False) as client:
                yield str(len((await client.post(self.url)).content))

        url = ""

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nContent-Length: 4\r\n\r\n"
        writer.write(head + b"\x00\x00\x00\x04")
        writer.close()
        await writer.wait_closed()

    async def body(program: Program) -> None:
        server = await asyncio.start_server(converse, HOST, 0)
        client = Framed()
        client.url = f"http://{HOST}:{server.sockets[0].getsockname()[1]}/"
        await read(client.create_stream(ASKED))
        server.close()

    assert watch(body).told("model", "http") == [done(), done()]
