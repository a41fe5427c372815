"""Reads telemetry, groups the early endings, and names the limits that cut the streams, with fixes."""
