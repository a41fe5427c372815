"""Keeps received telemetry in one file, which survives a crash and is readable while it is written."""
