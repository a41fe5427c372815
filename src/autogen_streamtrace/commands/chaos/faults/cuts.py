"""Replies that something cuts: what happens at the place, one small coroutine each."""

from autogen_streamtrace.commands.chaos.faults.fault import Dose, Strike
from autogen_streamtrace.commands.chaos.model.asked import Asked
from autogen_streamtrace.commands.chaos.model.reply import form
from autogen_streamtrace.commands.chaos.wire.message import Cut
from autogen_streamtrace.commands.chaos.wire.passage import Passage
from autogen_streamtrace.commands.chaos.wire.pieces import halves


async def stall(passage: Passage, dose: Dose) -> None:
    """Silence; with ``seconds`` the reply then goes on."""
    await passage.hold(dose.seconds)
    if dose.seconds is not None:
        await passage.rest()


def cut(how: Cut) -> Strike:
    """The connection ends so."""

    async def strike(passage: Passage, dose: Dose) -> None:
        passage.cut(how)

    return strike


async def silent(passage: Passage, dose: Dose) -> None:
    """HTTP ends the body cleanly; no finish reason, no terminator."""
    passage.end()


async def unfinished(passage: Passage, dose: Dose) -> None:
    """The same, and a compressed body lacks its end."""
    passage.end(flush=False)


async def withheld_end(passage: Passage, dose: Dose) -> None:
    """All of the reply comes; HTTP's own end does not."""
    await passage.rest(end=False)
    await passage.hold()


async def error_event(passage: Passage, dose: Dose) -> None:
    """The provider reports an error inside a stream that began with 200."""
    passage.send(form(Asked.of(passage.request)).error("The server is overloaded"))
    passage.end()


async def bad_json(passage: Passage, dose: Dose) -> None:
    """An event is cut in two, and ends as if it were whole; then the body ends cleanly."""
    unit = await passage.next() or b'data: {"error": '
    passage.send(halves(unit)[0] + (b"\n\n" if unit.endswith((b"\n\n", b"\r\n\r\n")) else b"\n"))
    passage.end()


async def half_event(passage: Passage, dose: Dose) -> None:
    """The body ends cleanly in the middle of an event."""
    unit = await passage.next()
    if unit is not None:
        passage.send(halves(unit)[0])
    passage.end()
