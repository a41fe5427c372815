"""`autogen-streamtrace ui`: receives telemetry on this machine, keeps it, and shows it on a page."""
