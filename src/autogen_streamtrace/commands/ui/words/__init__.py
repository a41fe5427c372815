"""The words of the telemetry, for the page: what each means, its colour, and endings as sentences."""
