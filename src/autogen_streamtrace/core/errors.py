"""Our own errors: logged once each with their traceback, never raised into the program; raised under test."""

import logging
from collections.abc import Callable
from typing import ParamSpec

P = ParamSpec("P")

logger = logging.getLogger(__name__)

_seen: set[tuple[str, type]] = set()
_raising = False
_count = 0


class contained:  # noqa: N801 - it reads like a function, and costs a third of a generator's
    """Runs the body of a ``with``; an exception in it ends there. ``doing`` names the work for the log line."""

    __slots__ = ("_doing",)

    def __init__(self, doing: str) -> None:
        self._doing = doing

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> bool:
        if not isinstance(error, Exception):
            return False
        report(self._doing, error)
        return True


def safely(doing: str, call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
    """Makes a call as ``contained`` would, for a fifth of its cost."""
    try:
        call(*args, **kwargs)
    except Exception as error:
        report(doing, error)


def report(doing: str, error: Exception) -> None:
    """Counts a defect of ours, and logs it where it is the first of its kind. Raises it only under test."""
    global _count
    _count += 1
    kind = (doing, type(error))
    if kind not in _seen and len(_seen) < 100:
        _seen.add(kind)
        logger.error("autogen_streamtrace failed while %s; the program goes on", doing, exc_info=error)
    if _raising:
        raise error


def contained_errors() -> int:
    """How many defects of ours were contained in this process."""
    return _count


def raise_errors(raising: bool) -> None:
    """Lets our own errors out: for this package's tests."""
    global _raising
    _raising = raising
