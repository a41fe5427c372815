"""Notes the deadlines of asyncio when they strike: ``asyncio.timeout`` and ``asyncio.wait_for``."""

import asyncio
import functools
import sys
import weakref
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.evidence import deadlines
from autogen_streamtrace.core.patcher import Patcher
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.neighbours import python

_DIGITS: Final = 2
"""Decimals of a deadline in seconds. What it was given is a few milliseconds more than what is left of it when it is
noted: time has passed, and uvloop's clock ticks in milliseconds."""


def apply(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches ``asyncio.timeouts.Timeout``; since Python 3.12 ``wait_for`` uses it too."""
    delays: weakref.WeakKeyDictionary[Any, float] = weakref.WeakKeyDictionary()

    def set_off(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def reschedule(self: Any, when: float | None) -> None:
            original(self, when)
            if when is not None:
                with contained("noting a deadline"):
                    delays[self] = round(when - asyncio.get_running_loop().time(), _DIGITS)

        return reschedule

    def struck(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def _on_timeout(self: Any) -> None:
            with contained("noting that a deadline struck"):
                task = python.TIMED_TASK.of(self)
                if task is not None:
                    deadlines.note(task, delays.get(self), _striking(self), _late(self))
            original(self)

        return _on_timeout

    patcher.attribute(module.Timeout, "reschedule", set_off)
    patcher.attribute(module.Timeout, python.ON_TIMEOUT.attribute, struck)


def apply_wait_for(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches ``wait_for`` of ``asyncio.tasks`` before Python 3.12, which cancels the task that it waits for."""
    if sys.version_info >= (3, 12):
        return

    def struck(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def _cancel_and_wait(fut: Any, loop: Any) -> Any:
            if sys.exc_info()[1] is None:  # otherwise wait_for itself is being cancelled
                with contained("noting that a deadline struck"):
                    seconds, timer = _of_wait_for()
                    deadlines.note(fut, seconds, lambda: True, _late(timer))
            return original(fut, loop)

        return _cancel_and_wait

    patcher.attribute(module, python.CANCEL_AND_WAIT.attribute, struck)


def _of_wait_for() -> tuple[float | None, Any]:
    """The seconds that ``wait_for`` was given, which called what calls this, and its timer; None where not known."""
    frame = python.CALLERS_FRAME.of(sys)
    known = {} if frame is None else frame(2).f_locals
    return known.get("timeout"), known.get("timeout_handle")


def _late(timer: Any) -> float:
    """Seconds since a timer was due, or an ``asyncio.timeout``; 0 where that is not known."""
    due = timer.when() if timer is not None else None
    return 0.0 if due is None else float(asyncio.get_running_loop().time() - due)


def _striking(timeout: Any) -> Callable[[], bool]:
    """Whether a timeout has struck and its block has not ended yet."""
    held = weakref.ref(timeout)

    def striking() -> bool:
        alive = held()
        return getattr(python.TIMEOUT_STATE.of(alive), "value", None) == "expiring"

    return striking
