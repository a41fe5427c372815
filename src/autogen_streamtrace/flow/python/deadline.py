"""Notes the deadlines of asyncio when they strike: ``asyncio.timeout`` and ``asyncio.wait_for``."""

import asyncio
import functools
import sys
import weakref
from collections.abc import Callable, Iterator
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


class _Delays:
    """How many seconds away each timeout was as it was set, which is when it is made, or moved."""

    def __init__(self) -> None:
        self._known: weakref.WeakKeyDictionary[Any, tuple[float, float]] = weakref.WeakKeyDictionary()
        """With the time at which it is due: entering a timeout sets the same one again."""

    def note(self, timeout: Any, when: float | None, now: float | None) -> None:
        """Takes that a timeout was set."""
        if when is None or now is None:
            return
        with contained("noting a deadline"):
            known = self._known.get(timeout)
            if known is None or known[0] is not when:
                self._known[timeout] = when, round(when - now, _DIGITS)

    def of(self, timeout: Any) -> float | None:
        """The seconds, where they are known."""
        known = self._known.get(timeout)
        return None if known is None else known[1]


def apply(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches ``asyncio.timeouts.Timeout``; since Python 3.12 ``wait_for`` uses it too."""
    delays = _Delays()

    def setting(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def set_off(self: Any, when: float | None) -> None:
            now = _now()  # before anything else: what passes meanwhile is missing in the delay
            original(self, when)
            delays.note(self, when, now)

        return set_off

    def struck(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def _on_timeout(self: Any) -> None:
            with contained("noting that a deadline struck"):
                tasks = _cancelled_with(python.TIMED_TASK.of(self))
                deadlines.note(tasks, delays.of(self), _striking(self), _late(self))
            original(self)

        return _on_timeout

    patcher.attribute(module.Timeout, "__init__", setting)
    patcher.attribute(module.Timeout, "reschedule", setting)
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
                    deadlines.note(_cancelled_with(fut), seconds, lambda: True, _late(timer))
            return original(fut, loop)

        return _cancel_and_wait

    patcher.attribute(module, python.CANCEL_AND_WAIT.attribute, struck)


def apply_group(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches ``asyncio.TaskGroup``, which cancels its tasks where a deadline ends its block."""

    def aborting(original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def _abort(self: Any) -> None:
            with contained("noting that a deadline struck"):
                for task in python.GROUPED.of(self, ()):
                    deadlines.pass_on(_cancelled_with(task))
            original(self)

        return _abort

    patcher.attribute(module.TaskGroup, python.ABORT.attribute, aborting)


def _cancelled_with(task: Any) -> Iterator[Any]:
    """A task, and those that its cancellation goes on to: the one that it awaits, or those that it gathers."""
    waiting = [task]
    while waiting:
        each = waiting.pop()
        if isinstance(each, asyncio.Task):
            yield each
            waiting.append(python.AWAITED.of(each))
        elif each is not None:
            waiting += python.GATHERED.of(each, ())


def _now() -> float | None:
    """The loop's clock; None outside of a loop."""
    try:
        return asyncio.get_running_loop().time()
    except RuntimeError:
        return None


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
