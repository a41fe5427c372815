"""Repairs in a forked child what ``os.fork`` does to the SDK."""

import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.otlp.delivery import Delivery

_HOLD: Final = 0.2
"""Seconds, at most, that a fork waits for exports under way."""

_held = threading.local()
_registered = False


def watch(deliveries: Callable[[], list[Delivery[Any]]], after_fork: Callable[[], None]) -> None:
    """From now on, each fork waits a moment for the exports of ``deliveries``, and calls ``after_fork`` in the child.

    gRPC skips its own preparation for a fork while a call runs; the child's channels then sometimes hang. An endpoint
    that does not answer delays a fork by ``_HOLD`` at most, and not at all once that is known.
    """
    global _registered
    if _registered or not hasattr(os, "register_at_fork"):
        return
    _registered = True

    def before() -> None:
        deadline = time.monotonic() + _HOLD
        _held.deliveries = [each for each in deliveries() if each.hold(deadline - time.monotonic())]

    def in_parent() -> None:
        for each in _held.deliveries:
            each.release()

    def in_child() -> None:
        with contained("starting anew after a fork"):
            after_fork()

    os.register_at_fork(before=before, after_in_parent=in_parent, after_in_child=in_child)
