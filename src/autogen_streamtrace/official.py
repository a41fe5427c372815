"""The official instrumentations of ``httpx`` and ``httpx2``, applied beside our own patches.

Importing their package imports both clients, and takes more time than this package. So it waits for a client's import.
"""

import importlib
import importlib.util
import logging
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, Final

from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.imports import when_imported
from autogen_streamtrace.neighbours import version
from autogen_streamtrace.neighbours.opentelemetry_tracers import LightTracers

logger = logging.getLogger(__name__)

_DISTRIBUTION: Final = "opentelemetry-instrumentation-httpx"
_PACKAGE: Final = "opentelemetry.instrumentation.httpx"
_INSTRUMENTORS: Final = {"httpx": "HTTPXClientInstrumentor", "httpx2": "HTTPX2ClientInstrumentor"}
"""The class in their package, by the client's module."""


class Official:
    """Applies each of them as soon as its client is imported, unless it is applied already.

    Their patches go around ours, so make this after ours.
    """

    def __init__(self, tracer_provider: TracerProvider, meter_provider: MeterProvider) -> None:
        self._providers = {"tracer_provider": LightTracers(tracer_provider), "meter_provider": meter_provider}
        self._undo: list[Callable[[], None]] = []
        self._waits: list[Callable[[], None]] = []
        for client in _INSTRUMENTORS:
            if client in sys.modules or importlib.util.find_spec(client) is not None:
                self._waits.append(when_imported(client, self._import_package))
        self._waits.append(when_imported(_PACKAGE, self._apply))

    def undo(self) -> None:
        """Removes what was applied here, and only that."""
        for each in (self._waits, self._undo):
            while each:
                each.pop()()

    def _import_package(self, client: ModuleType) -> None:
        with contained(f"importing {_PACKAGE}"):
            try:
                importlib.import_module(_PACKAGE)
            except ModuleNotFoundError as missing:
                if missing.name == client.__name__ or missing.name not in _INSTRUMENTORS:
                    raise
                logger.warning(
                    "%s %s needs %s, which is not installed, and does not know %s: requests of %s get no HTTP span and"
                    " carry no trace context. Their streams are watched as before. Install %s>=0.65b0.",
                    _DISTRIBUTION,
                    version(_DISTRIBUTION),
                    missing.name,
                    client.__name__,
                    client.__name__,
                    _DISTRIBUTION,
                )

    def _apply(self, package: ModuleType) -> None:
        for client, name in _INSTRUMENTORS.items():
            if client in sys.modules and hasattr(package, name):
                with contained(f"applying the official instrumentation of {client}"):
                    official: Any = getattr(package, name)()
                    if not official.is_instrumented_by_opentelemetry:
                        official.instrument(**self._providers)
                        self._undo.append(official.uninstrument)
