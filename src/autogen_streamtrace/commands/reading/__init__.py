"""Reads telemetry: OTLP JSON and protobuf, files of it, and the stores that hold it."""
