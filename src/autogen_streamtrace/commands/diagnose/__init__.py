"""What cuts the streams, and what to change: reads telemetry, groups the early endings, names limits and fixes."""
