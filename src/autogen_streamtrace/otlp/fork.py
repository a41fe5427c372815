"""What ``os.fork`` does to the SDK, put right in the child."""

import os
import threading
import time
from collections.abc import Callable
from typing import Any, Final

from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.otlp.delivery import Delivery

_HOLD: Final = 0.2
"""Seconds that a fork waits at most for exports under way."""

_held = threading.local()
_registered = False


def watch(deliveries: Callable[[], list[Delivery[Any]]], after_fork: Callable[[], None]) -> None:
    """From now on each fork waits a moment for the exports of ``deliveries`` and calls ``after_fork`` in the child.

    gRPC leaves out its own preparation for a fork while a call runs, and the child's channels then hang now and then.
    An endpoint that does not answer holds a fork up by ``_HOLD`` at most, and not at all once that is known.
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
