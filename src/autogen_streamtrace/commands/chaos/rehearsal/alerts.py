"""The alerts that a plan may name."""

from typing import Final

ALERTS: Final = (
    "StreamFaultsOfOneCause1H",
    "StreamFaultsOfOneCause6H",
    "StreamFaultsOfOneCause1D",
    "StreamFaultsOfOneCause3D",
    "TurnFaultsBurnBudget1H",
    "TurnFaultsBurnBudget6H",
    "TurnFaultsBurnBudget1D",
    "TurnFaultsBurnBudget3D",
    "SeveralTurnFaults",
    "StreamFaultsAbovePast",
    "StreamsStalled",
    "OldestStreamTooOld",
    "StreamsKilled",
    "StreamsLost",
    "NoTelemetry",
    "StreamsEndedAtOneMoment",
    "OneLimitCutsMost",
    "ProviderRejects",
    "ConnectionPoolExhausted",
    "DeadlineTooShort",
    "FirstChunkSlow",
    "RecorderUnusable",
    "TelemetryIncomplete",
    "LabelsOverflow",
    "EventLoopBlocked",
    "EventLoopLate",
)
"""Those of ``dashboards/alerts``; the last two are Loki's."""
