"""The colour of each outcome, told apart on light and on dark ground."""

from typing import Final

from autogen_streamtrace.core import semconv as sc

COLOURS: Final = {
    sc.COMPLETED: "#3f9c6d",
    sc.LENGTH: "#c9a227",
    sc.FILTERED: "#a58a3a",
    sc.TRUNCATED: "#e0723a",
    sc.TIMEOUT: "#d9487d",
    sc.DISCONNECTED: "#cf3b3b",
    sc.REJECTED: "#9a4bc4",
    sc.MALFORMED: "#7f5af0",
    sc.CANCELLED: "#3f8fd1",
    sc.ABANDONED: "#4fb3bf",
    sc.NEVER_STARTED: "#7d8590",
    sc.FAILED: "#a9502a",
    sc.KILLED: "#555b66",
}
