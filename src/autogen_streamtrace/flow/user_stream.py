"""Layer ``stream``: a stream of the user's own."""

from collections.abc import AsyncGenerator, AsyncIterable
from typing import Any, TypeVar

from ..core import names as n
from ..core import tap
from ..core.ledger import Ledger
from ..core.record import Opening

Item = TypeVar("Item")


def trace(ledger: Ledger, source: AsyncIterable[Item], name: str) -> AsyncGenerator[Item, Any]:
    """Watches ``source`` as a stream of the layer ``stream``."""
    return tap.stream(ledger, source.__aiter__(), Opening(n.STREAM, name, span_name=f"stream {name}"))
