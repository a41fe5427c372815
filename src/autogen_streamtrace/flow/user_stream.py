"""Layer ``stream``: a stream of the user's own."""

from collections.abc import AsyncIterable
from typing import TypeVar, cast

from ..core import names as n
from ..core import tap
from ..core.ledger import Ledger
from ..core.record import Opening

Item = TypeVar("Item")


def trace(ledger: Ledger, source: AsyncIterable[Item], name: str) -> AsyncIterable[Item]:
    """Watches ``source`` as a stream of the layer ``stream``."""
    opening = Opening(n.STREAM, name, span_name=f"stream {name}")
    return cast(AsyncIterable[Item], tap.watched(ledger, source, lambda: opening))
