"""The instrument's names as Prometheus, Loki and Tempo show them.

Prometheus: dots become underscores, ``s`` becomes ``_seconds``, ``{x}`` units vanish, counters end in ``_total``
(https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/). Loki keeps an event's attributes
as structured metadata, with underscores too. TraceQL has the names as they are, behind ``span.``.
"""

from typing import Final

from autogen_streamtrace.core import semconv as sc

NOT_IN_THE_DEMO: Final = (sc.M_STALLED, sc.M_RECOVERED, sc.M_RECORDER, sc.M_DROPPED)
"""Metrics that no scenario of the demo needs to bring: what asks for one of them may be empty there."""

RECORDER_FAILS: Final = 2
"""What the recorder's state reads where it cannot write; 0 is off, 1 is recording."""


def label(attribute: str) -> str:
    """An attribute as a label of Prometheus, and as structured metadata of Loki."""
    return attribute.replace(".", "_")


def counter(name: str) -> str:
    """A monotonic counter's series."""
    return f"{label(name)}_total"


def gauge(name: str, unit: str = "") -> str:
    """A gauge's or up-down counter's series; ``unit`` is ``seconds`` or empty."""
    return f"{label(name)}_{unit}" if unit else label(name)


def histogram(name: str, unit: str = "seconds") -> str:
    """A histogram's series without ``_bucket``, ``_count`` or ``_sum``."""
    return gauge(name, unit)


STARTED: Final = counter(sc.M_STARTED)
ENDED: Final = counter(sc.M_ENDED)
CUT: Final = counter(sc.M_CUT)
OPEN: Final = gauge(sc.M_OPEN)
STALLED: Final = gauge(sc.M_STALLED)
OLDEST: Final = gauge(sc.M_OLDEST, "seconds")
DURATION: Final = histogram(sc.M_DURATION)
SILENCE: Final = histogram(sc.M_SILENCE)
LONGEST_GAP: Final = histogram(sc.M_LONGEST_GAP)
FIRST_CHUNK: Final = histogram(sc.M_FIRST_CHUNK)
CALLER_TIME: Final = histogram(sc.M_CALLER_TIME)
MODEL_CALL: Final = histogram(sc.M_GEN_AI_DURATION)
MODEL_FIRST_CHUNK: Final = histogram(sc.M_GEN_AI_FIRST_CHUNK)
MODEL_PER_CHUNK: Final = histogram(sc.M_GEN_AI_PER_CHUNK)
TOKENS: Final = histogram(sc.M_GEN_AI_TOKENS, "")
TOOL_CALL: Final = histogram(sc.M_GEN_AI_TOOL)
AGENT_TURN: Final = histogram(sc.M_GEN_AI_AGENT)
TEAM_RUN: Final = histogram(sc.M_GEN_AI_WORKFLOW)
DROPPED: Final = counter(sc.M_DROPPED)
CAPPED: Final = counter(sc.M_CAPPED)
QUEUE: Final = gauge(sc.M_QUEUE)
EXPORT_FAILURES: Final = counter(sc.M_EXPORT_FAILURES)
ERRORS: Final = counter(sc.M_ERRORS)
UNKNOWN_FINISH: Final = counter(sc.M_UNKNOWN_FINISH)
RECOVERED: Final = counter(sc.M_RECOVERED)
RECORDER: Final = gauge(sc.M_RECORDER)

L_LAYER: Final = label(sc.A_LAYER)
L_NAME: Final = label(sc.A_NAME)
L_OUTCOME: Final = label(sc.A_OUTCOME)
L_FRAMEWORK: Final = label(sc.A_FRAMEWORK)
L_ENDED_BY: Final = label(sc.A_ENDED_BY)
L_EARLY: Final = label(sc.A_EARLY)
L_FAULT: Final = label(sc.A_FAULT)
L_ORIGIN: Final = label(sc.A_ORIGIN)
L_OUTERMOST: Final = label(sc.A_OUTERMOST)
L_WAITING_TYPE: Final = label(sc.A_WAITING_ON_TYPE)
L_WAITING_NAME: Final = label(sc.A_WAITING_ON_NAME)
L_CAUSE: Final = label(sc.A_CAUSE_TYPE)
L_LIMIT: Final = label(sc.A_LIMIT_ID)
L_CANCELLED_BY: Final = label(sc.A_CANCELLED_BY)
L_LOOP_BLOCKED: Final = label(sc.A_LOOP_BLOCKED)
L_LOOP_LATE: Final = label(sc.A_LOOP_LATE)
L_REUSED: Final = label(sc.A_CONNECTION_REUSED)
L_PAGE: Final = label(sc.A_REFUSAL_PAGE)
L_INTERMEDIARY: Final = label(sc.A_INTERMEDIARY)
L_TO_HEADERS: Final = label(sc.A_TIME_TO_HEADERS)
L_STATUS: Final = label(sc.HTTP_STATUS)
L_STREAMED: Final = label(sc.GEN_AI_REQUEST_STREAM)
L_MODEL: Final = label(sc.GEN_AI_REQUEST_MODEL)
L_AGENT: Final = label(sc.GEN_AI_AGENT_NAME)
L_TOOL: Final = label(sc.GEN_AI_TOOL_NAME)
L_TEAM: Final = label(sc.GEN_AI_WORKFLOW_NAME)
L_PROVIDER: Final = label(sc.GEN_AI_PROVIDER)
L_TOKEN_TYPE: Final = label(sc.GEN_AI_TOKEN_TYPE)
L_ERROR: Final = label(sc.A_ERROR_TYPE)

# Of the resource, and what the OTLP receivers make of it.
ENVIRONMENT: Final = "deployment_environment_name"
SERVICE: Final = "service_name"
VERSION: Final = "service_version"
WHOSE: Final = (ENVIRONMENT, SERVICE, VERSION, "job", "instance")
"""Labels that say whose a series is. ``job`` and ``instance`` are made from service.name and service.instance.id."""
EVENT: Final = "event_name"
"""Where the Collector's configuration puts a log event's name."""
