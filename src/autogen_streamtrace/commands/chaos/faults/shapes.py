"""Replies that arrive whole, but not as they were sent."""

import asyncio
from typing import Final

from autogen_streamtrace.commands.chaos.faults.fault import Dose
from autogen_streamtrace.commands.chaos.wire.passage import Passage

DRIP: Final = 1
"""Bytes of a drip."""
DRIP_PAUSE: Final = 0.05
BURST: Final = 4096
"""Bytes that a buffering proxy collects before it passes them on."""


async def whole(passage: Passage, dose: Dose) -> None:
    """All of it, as it comes."""
    await passage.rest()


async def drip(passage: Passage, dose: Dose) -> None:
    """A few bytes at a time, with a pause after each."""
    size, pause = dose.number("size", DRIP), dose.time("pause", DRIP_PAUSE)
    while (unit := await passage.next()) is not None:
        for start in range(0, len(unit), size):
            passage.send(unit[start : start + size])
            await passage.room()
            await asyncio.sleep(pause)
    passage.end()


async def burst(passage: Passage, dose: Dose) -> None:
    """Held back, and passed on in lumps of a size, or after so many seconds; at the end, all that is left."""
    size = dose.number("size", BURST)
    held, began = b"", 0.0
    clock = asyncio.get_running_loop().time
    while True:
        until = began + dose.seconds if held and dose.seconds is not None else None
        try:
            unit = await passage.next(until)
        except asyncio.TimeoutError:
            passage.send(held)
            held = b""
            continue
        if unit is None:
            break
        began = began if held else clock()
        held += unit
        if len(held) >= size:
            passage.send(held)
            held = b""
    passage.send(held)
    passage.end()


async def hold_back(passage: Passage, dose: Dose) -> None:
    """Held back until the reply is over, then passed on at once."""
    held = []
    while (unit := await passage.next()) is not None:
        held.append(unit)
    passage.send(b"".join(held))
    passage.end()
