"""What the model server can do to a stream: one small coroutine per fault, its name in the URL."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Final

from autogen_streamtrace.commands.demo.completions import USAGE
from autogen_streamtrace.commands.demo.reply import HALF, TEXT, Reply

Fault = Callable[[Reply], Awaitable[None]]

FAULTS: Final[dict[str, Fault]] = {}

SLOW_PAUSE: Final = 0.15
LONG_PAUSE: Final = 0.002
LONG_COUNT: Final = 2000
FLOOD_COUNT: Final = 3000
FLOOD_BATCH: Final = 100
PING_PAUSE: Final = 0.05
PINGS: Final = 5
REFUSALS: Final = (400, 401, 403, 404, 408, 409, 429, 500, 502, 503, 504)
RETRY_AFTER_MS: Final = "20"


def fault(coroutine: Fault) -> Fault:
    """Put a fault into the table under its own name."""
    FAULTS[coroutine.__name__] = coroutine
    return coroutine


# Replies that are whole.


@fault
async def ok(reply: Reply) -> None:
    await reply.words()
    await reply.finish()


@fault
async def empty(reply: Reply) -> None:
    """A finish reason, no text."""
    await reply.finish()


@fault
async def usage_last(reply: Reply) -> None:
    """Finish reason and usage in one last chunk."""
    await reply.words()
    await reply.send(reply.form.finish("stop", USAGE), reply.form.done)
    await reply.end()


@fault
async def no_done(reply: Reply) -> None:
    """A finish reason, no terminator."""
    await reply.words()
    await reply.send(reply.form.finish("stop"))
    await reply.end()


@fault
async def done_hang(reply: Reply) -> None:
    """Finish reason and terminator; HTTP's own end never comes."""
    await reply.words()
    await reply.send(reply.form.finish("stop"), reply.form.done)
    await reply.hold()


@fault
async def gzip(reply: Reply) -> None:
    reply.compress()
    await ok(reply)


@fault
async def ping(reply: Reply) -> None:
    """Comment lines keep bytes coming while the model sends nothing."""
    await reply.words(HALF)
    for _ in range(reply.request.count(PINGS)):
        await reply.send(b": ping\n\n" if reply.request.streaming else b"\n")
        await asyncio.sleep(PING_PAUSE)
    await reply.finish()


@fault
async def slow(reply: Reply) -> None:
    await reply.words(reply.request.count(len(TEXT)), SLOW_PAUSE)
    await reply.finish()


@fault
async def long(reply: Reply) -> None:
    """Many words at an even pace."""
    await reply.words(reply.request.count(LONG_COUNT), LONG_PAUSE)
    await reply.finish()


@fault
async def flood(reply: Reply) -> None:
    """Many words, as fast as the socket takes them."""
    left = reply.request.count(FLOOD_COUNT)
    word = reply.form.text("word ")
    while left > 0:
        await reply.send(*[word] * min(left, FLOOD_BATCH))
        left -= FLOOD_BATCH
    await reply.finish()


@fault
async def tool_call(reply: Reply) -> None:
    """Ask for the first tool on offer; with its result, reply."""
    tool = reply.request.tool
    if tool is None or reply.request.answers_tool:
        return await ok(reply)
    arguments = dict.fromkeys(tool["parameters"].get("required", ()), "7")
    await reply.send(reply.form.tool_call(tool["name"], json.dumps(arguments)))
    return await reply.finish("tool_calls")


@fault
async def retry(reply: Reply) -> None:
    """Every other request on a path is refused: give each use an argument of its own."""
    if reply.request.attempt % 2:
        return await reply.refuse(503, {"retry-after-ms": RETRY_AFTER_MS})
    return await ok(reply)


# Replies that the model itself ends in another way.


def finished(reason: str) -> Fault:
    """The finish reason, with the usage of the reply so far."""

    async def finish(reply: Reply) -> None:
        await reply.words(HALF)
        await reply.send(reply.form.finish(reason, USAGE), reply.form.done)
        await reply.end()

    return finish


FAULTS.update({reason: finished(reason) for reason in ("length", "content_filter", "abort")})
FAULTS["unknown_finish"] = finished("gave_up")


# Replies that something cuts.


@fault
async def stall(reply: Reply) -> None:
    """Silence in mid-body."""
    await reply.words(HALF)
    await reply.hold()


@fault
async def stall_before_headers(reply: Reply) -> None:
    await reply.hold()


@fault
async def fin(reply: Reply) -> None:
    """The connection is closed in mid-body."""
    await reply.words(HALF)


@fault
async def rst(reply: Reply) -> None:
    """The connection is reset in mid-body."""
    await reply.words(HALF)
    reply.reset()


@fault
async def silent(reply: Reply) -> None:
    """HTTP ends the body cleanly; no finish reason, no terminator."""
    await reply.words(HALF)
    await reply.end()


@fault
async def gzip_silent(reply: Reply) -> None:
    reply.compress()
    await silent(reply)


@fault
async def done_text(reply: Reply) -> None:
    """The text quotes the terminator, then the body ends cleanly."""
    await reply.words(HALF)
    await reply.send(reply.form.text("data: [DONE] ends a stream\n\ndata: [DONE]\n\n"), reply.form.text("[DONE]"))
    await reply.end()


@fault
async def error_event(reply: Reply) -> None:
    """The provider reports an error inside a stream that began with 200."""
    await reply.words(HALF)
    await reply.send(reply.form.error("The server is overloaded"))
    await reply.end()


@fault
async def bad_json(reply: Reply) -> None:
    """An event is cut in two, then the body ends cleanly."""
    await reply.words(HALF)
    await reply.send(reply.form.partial_json)
    await reply.end()


def refused(status: int) -> Fault:
    async def refuse(reply: Reply) -> None:
        await reply.refuse(status)

    return refuse


FAULTS.update({f"http_{status}": refused(status) for status in REFUSALS})
