"""Private names of uvicorn and gunicorn."""

from typing import Final

from autogen_streamtrace.neighbours import Private

CAPTURED_SIGNALS: Final = Private(
    "uvicorn",
    "Server",
    "_captured_signals",
    "after a server that is stopped without a signal, its event loop counts as shutting down",
)
SHUTDOWN: Final = Private(
    "gunicorn", "ASGIWorker", "_shutdown", "streams that gunicorn's shutdown ends are reported without it"
)
