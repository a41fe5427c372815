"""The real servers behind the instrument: OpenTelemetry Collector, Prometheus, VictoriaLogs.

Each is a context manager that starts its own process on free loopback ports with its data in a given folder.
Their binaries come from `make tools`; without them every test here is skipped, and says so.
"""
