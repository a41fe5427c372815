"""The three providers that telemetry goes to, and what is checked of them."""

import logging
import os
from dataclasses import dataclass, field
from typing import Any, Final

from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk.resources import SERVICE_INSTANCE_ID

from autogen_streamtrace.neighbours import opentelemetry as private
from autogen_streamtrace.otlp.environment import Signal
from autogen_streamtrace.settings import SettingError

OTEL_CONFIG_FILE: Final = "OTEL_CONFIG_FILE"
"""The SDK has no name of its own for it before 1.43."""

_KINDS: Final = {
    "tracer_provider": ("TracerProvider", "get_tracer"),
    "meter_provider": ("MeterProvider", "get_meter"),
    "logger_provider": ("LoggerProvider", "get_logger"),
}
"""For each keyword the name of the provider's type, and the method by which a provider is recognised."""

logger = logging.getLogger(__name__)
_warned: Final[set[str]] = set()


@dataclass(frozen=True)
class Providers:
    """Where telemetry goes, and for which of ``traces``, ``metrics``, ``logs`` the provider is one of ours."""

    tracer_provider: trace.TracerProvider
    meter_provider: metrics.MeterProvider
    logger_provider: _logs.LoggerProvider
    ours: frozenset[Signal] = frozenset()
    made: frozenset[Signal] = field(default=frozenset(), compare=False)
    """Those that did not exist before."""

    def by_signal(self) -> dict[Signal, Any]:
        """The provider of each signal."""
        return {"traces": self.tracer_provider, "metrics": self.meter_provider, "logs": self.logger_provider}


def check(**given: object) -> None:
    """Checks that these are providers, by the keywords of ``providers``; None is allowed.

    Raises:
        SettingError: one of them is no provider.
    """
    for keyword, provider in given.items():
        kind, method = _KINDS[keyword]
        if provider is not None and not callable(getattr(provider, method, None)):
            raise SettingError(f"setting {keyword!r}: {provider!r} is not allowed; allowed: an OpenTelemetry {kind}")


def warn_of_shared_instance(foreign: dict[Signal, Any]) -> None:
    """Warns once of a program's own providers that have no instance id."""
    resources = {signal: private.resource(provider) for signal, provider in foreign.items()}
    nameless = [
        signal for signal, each in resources.items() if each is not None and SERVICE_INSTANCE_ID not in each.attributes
    ]
    if nameless and "instance" not in _warned:
        _warned.add("instance")
        logger.warning(
            "The program's own OpenTelemetry provider for %s has no %s in its resource. Two processes of one service"
            " then share their time series and their counts make no sense: give each process its own.",
            ", ".join(nameless),
            SERVICE_INSTANCE_ID,
        )


def warn_of_configuration_file() -> None:
    """Warns once where ``OTEL_CONFIG_FILE`` is set, which is not read here."""
    if os.environ.get(OTEL_CONFIG_FILE) and "file" not in _warned:
        _warned.add("file")
        logger.warning(
            "%s is set, but only the other OTEL_* variables are read here. To use the file, let the program or"
            " opentelemetry-instrument set the SDK up from it before instrument() is called.",
            OTEL_CONFIG_FILE,
        )
