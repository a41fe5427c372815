"""In which manner the model replies: one small coroutine each, its name in the URL."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Final

from autogen_streamtrace.commands.chaos.model.completions import USAGE
from autogen_streamtrace.commands.chaos.model.reply import HALF, TEXT, Reply

Manner = Callable[[Reply], Awaitable[None]]

MANNERS: Final[dict[str, Manner]] = {}

SLOW_PAUSE: Final = 0.15
LONG_PAUSE: Final = 0.002
LONG_COUNT: Final = 2000
FLOOD_COUNT: Final = 3000
FLOOD_BATCH: Final = 100
PING_PAUSE: Final = 0.05
PINGS: Final = 5


def manner(coroutine: Manner) -> Manner:
    """Put a manner into the table under its own name."""
    MANNERS[coroutine.__name__] = coroutine
    return coroutine


# Replies that are whole.


@manner
async def ok(reply: Reply) -> None:
    await reply.words()
    await reply.finish()


@manner
async def empty(reply: Reply) -> None:
    """A finish reason, no text."""
    await reply.finish()


@manner
async def usage_last(reply: Reply) -> None:
    """Finish reason and usage in one last chunk."""
    await reply.words()
    await reply.send(reply.form.finish("stop", USAGE), reply.form.done)
    reply.end()


@manner
async def no_done(reply: Reply) -> None:
    """A finish reason, no terminator."""
    await reply.words()
    await reply.send(reply.form.finish("stop"))
    reply.end()


@manner
async def ping(reply: Reply) -> None:
    """Comment lines keep bytes coming while the model sends nothing."""
    await reply.words(HALF)
    for _ in range(reply.asked.count(PINGS)):
        await reply.send(b": ping\n\n" if reply.asked.streaming else b"\n")
        await asyncio.sleep(PING_PAUSE)
    await reply.finish()


@manner
async def slow(reply: Reply) -> None:
    await reply.words(reply.asked.count(len(TEXT)), SLOW_PAUSE)
    await reply.finish()


@manner
async def long(reply: Reply) -> None:
    """Many words at an even pace."""
    await reply.words(reply.asked.count(LONG_COUNT), LONG_PAUSE)
    await reply.finish()


@manner
async def flood(reply: Reply) -> None:
    """Many words, as fast as the socket takes them."""
    left = reply.asked.count(FLOOD_COUNT)
    word = reply.form.text("word ")
    while left > 0:
        await reply.send(*[word] * min(left, FLOOD_BATCH))
        await asyncio.sleep(0)
        left -= FLOOD_BATCH
    await reply.finish()


@manner
async def tool_call(reply: Reply) -> None:
    """Ask for the first tool on offer; with its result, reply."""
    tool = reply.asked.tool
    if tool is None or reply.asked.answers_tool:
        return await ok(reply)
    arguments = dict.fromkeys(tool["parameters"].get("required", ()), "7")
    await reply.send(reply.form.tool_call(tool["name"], json.dumps(arguments)))
    return await reply.finish("tool_calls")


# Replies that the model itself ends in another way.


@manner
async def done_text(reply: Reply) -> None:
    """The text quotes the terminator, then the body ends cleanly."""
    await reply.words(HALF)
    await reply.send(reply.form.text("data: [DONE] ends a stream\n\ndata: [DONE]\n\n"), reply.form.text("[DONE]"))
    reply.end()


def finished(reason: str) -> Manner:
    """The finish reason, with the usage of the reply so far."""

    async def finish(reply: Reply) -> None:
        await reply.words(HALF)
        await reply.send(reply.form.finish(reason, USAGE), reply.form.done)
        reply.end()

    return finish


MANNERS.update({reason: finished(reason) for reason in ("length", "content_filter", "abort")})
MANNERS["unknown_finish"] = finished("gave_up")
