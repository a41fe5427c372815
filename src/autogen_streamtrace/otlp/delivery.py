"""One exporter as the program sees it: made anew in each process, counted, and quiet."""

import logging
import os
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final, Generic, TypeVar

from autogen_streamtrace.core.semconv import M_EXPORT_FAILURES
from autogen_streamtrace.otlp.environment import Target

ResultT = TypeVar("ResultT")

logger = logging.getLogger(__name__)
_thread = threading.local()
_warned: set[str] = set()
_MAX_REASON: Final = 300
_MAX_LINES: Final = 10


class Delivery(Generic[ResultT]):
    """Makes the real exporter and passes batches to it.

    The exporter is made at the first export of each process: a gRPC channel does not survive a fork, and two processes
    must not write into one HTTP connection. A child does not close its parent's exporter.
    """

    def __init__(self, target: Target, failure: ResultT) -> None:
        self.target = target
        self.failures = 0
        self.delivered = False
        """Something of this process or its parent has arrived."""
        self._failure = failure
        self._pid = 0
        self._exporter: Any = None
        self._inherited: list[Any] = []
        self._closed = False
        self._hurried = False
        self._making: list[str] = []
        self._trouble: list[str] = []
        self._busy = threading.Lock()
        _quieten(target.exporter)

    def send(self, export: Callable[[Any], ResultT]) -> ResultT:
        """The result of ``export(exporter)``.

        A failure of any kind is counted and returned; a warning names it once per endpoint.
        """
        with self._busy, _heard_by(self._trouble):
            result = self._attempt(export)
            while result == self._failure and self._hurried:
                self._hurried, self._exporter = False, None
                result = self._attempt(export)
        if result != self._failure:
            self.delivered = True
            self._making, self._trouble = [], []
            return result
        self.failures += 1
        if not self._closed:
            self.warn("the exporter failed")
        return result

    def hurry(self) -> None:
        """After a failure, lets the export under way and the next one try at once, with a new exporter.

        The old one may wait for seconds before its next attempt, which a process that ends does not have.
        """
        if not self._closed and self._exporter is not None:
            self._hurried = True
            with _heard_by([]):
                self._exporter.shutdown()

    def succeeds(self, export: Callable[[Any], ResultT]) -> bool:
        """As ``send``; returns whether it succeeded."""
        return self.send(export) != self._failure

    def probe(self) -> Any:
        """The exporter of this process, made now; ``None`` and a warning where that fails."""
        with _heard_by(self._trouble):
            try:
                return self._own()
            except Exception as error:
                _note(self._trouble, f"{type(error).__name__}: {error}")
        self.warn("the exporter cannot be made")
        return None

    def warn(self, otherwise: str) -> None:
        """Warns once per endpoint and process that nothing arrives there, why, and what to do.

        ``otherwise`` is the reason where the exporter has logged none.
        """
        if self.target.endpoint not in _warned:
            _warned.add(self.target.endpoint)
            reason = next(iter([*self._making, *self._trouble]), otherwise)
            logger.warning("%s", _advice(self.target, reason))

    def flush(self, timeout_millis: float) -> bool:
        """Passes ``force_flush`` on to this process's exporter, where there is one."""
        if self._exporter is None or self._pid != os.getpid():
            return True
        with _heard_by([]):
            return bool(self._exporter.force_flush(timeout_millis))

    def close(self) -> None:
        """Ends this process's exporter; an export that waits for its next attempt gives up."""
        closed, self._closed = self._closed, True
        if not closed and self._exporter is not None and self._pid == os.getpid():
            with _heard_by([]):
                self._exporter.shutdown()

    @property
    def busy(self) -> bool:
        """Whether an export is under way."""
        return self._busy.locked()

    @property
    def troubled(self) -> bool:
        """The last attempt has failed; the exporter may try again."""
        return bool(self._trouble)

    def hold(self, timeout: float) -> bool:
        """Waits up to ``timeout`` seconds for an export under way, and lets none begin until ``release``.

        It does not wait for an endpoint that does not answer. Returns whether ``release`` has something to do.
        """
        return self._busy.acquire(timeout=0 if self._trouble else max(timeout, 0))

    def release(self) -> None:
        """Lets exports begin again."""
        self._busy.release()

    def after_fork(self) -> None:
        """In a forked child: nothing is under way here, and nothing has failed here."""
        self._busy = threading.Lock()
        self._trouble = []
        self.failures = 0

    def _attempt(self, export: Callable[[Any], ResultT]) -> ResultT:
        try:
            return export(self._own())
        except Exception as error:
            _note(self._trouble, f"{type(error).__name__}: {error}")
            return self._failure

    def _own(self) -> Any:
        if self._pid != os.getpid():
            if self._exporter is not None:
                self._inherited.append(self._exporter)
            self._exporter = None
            self._pid = os.getpid()
        if self._closed:
            raise RuntimeError("the exporter is shut down")
        if self._exporter is None:
            self._making = []
            with _heard_by(self._making):
                self._exporter = self.target.make()
        return self._exporter


def _advice(target: Target, reason: str) -> str:
    remedy = (
        f"Check that a collector listens there for {target.protocol}, or name another with OTEL_EXPORTER_OTLP_ENDPOINT"
        " and OTEL_EXPORTER_OTLP_PROTOCOL, or set OTEL_TRACES_EXPORTER, OTEL_METRICS_EXPORTER and OTEL_LOGS_EXPORTER"
        " to none."
        if target.protocol
        else f"Check its settings, or choose another with OTEL_{target.signal.upper()}_EXPORTER."
    )
    return (
        f"No telemetry reaches {target.endpoint}: {_redacted(reason)}. The program runs on; what cannot be sent is lost"
        f" and counted in {M_EXPORT_FAILURES}. {remedy} This warning appears once."
    )


def _redacted(reason: str) -> str:
    """A reason in one line, without the exporter's words about retries, and without a URL's query and user."""
    text = re.sub(r" encountered while exporting .*?, retrying in [\d.]+s\.", "", " ".join(reason.split()))
    text = re.sub(r"\?[^\s'\")]+", "?…", text)
    return re.sub(r"//[^/\s@]+@", "//…@", text)[:_MAX_REASON].rstrip(". ")


class _Hearing(logging.Filter):
    """Drops an exporter's own warnings while it works for us, and only then."""

    def filter(self, record: logging.LogRecord) -> bool:
        lines: list[str] | None = getattr(_thread, "lines", None)
        if lines is None or record.levelno < logging.WARNING:
            return True
        _note(lines, record.getMessage())
        return False


_hearing = _Hearing()


def _note(lines: list[str], line: str) -> None:
    if len(lines) < _MAX_LINES:
        lines.append(line)
    logger.debug("%s", _redacted(line))


@contextmanager
def _heard_by(lines: list[str]) -> Iterator[None]:
    outer = getattr(_thread, "lines", None)
    _thread.lines = lines
    try:
        yield
    finally:
        _thread.lines = outer


def _quieten(exporter: type[Any]) -> None:
    """Filters the loggers of an exporter's modules, before the SDK's filter of repeated lines."""
    for module in {each.__module__ for each in exporter.__mro__}:
        logger = logging.getLogger(module)
        if _hearing not in logger.filters:
            logger.filters.insert(0, _hearing)
