"""Waiting for the tail sampler, which decides once a second on the traces whose time has come, in no order."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Final

from .sending import COMPLETED, TIMED_OUT, Ids, Sender, hex_ids, span
from .server import eventually

LIMIT: Final = 60.0


def await_decisions(sender: Sender, ids: Ids, arrived: Callable[[], Collection[str]], *, traces: int = 1) -> None:
    """Wait until the sampler has decided on every trace whose root it got before this call.

    Two times a trace that is kept is sent and awaited. The first one may be decided in the same second as those before
    it, and before them; the second one is sent after that second, and so comes after all of them.

    Args:
        sender: sends them.
        ids: of theirs.
        arrived: the ids of the spans that were kept so far.
        traces: how many at a time, so that each of several samplers has one.
    """
    for _ in range(2):
        told = [ids.trace() for _ in range(traces)]
        children = [span(ids, trace, COMPLETED, parent=ids.span()) for trace in told]
        assert sender.spans(*children, *(span(ids, trace, TIMED_OUT) for trace in told))
        # A fault itself waits for no decision.
        eventually(partial(have_come, hex_ids(children), arrived), limit=LIMIT, what="the decision")


def have_come(spans: set[str], arrived: Callable[[], Collection[str]]) -> bool:
    return spans <= set(arrived())
