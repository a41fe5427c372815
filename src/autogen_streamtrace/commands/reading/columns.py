"""One row per stream: which columns there are, and what their cells may hold."""

import math
import re
from typing import Any, Final, Literal, NamedTuple

from autogen_streamtrace.core import semconv as sc

Kind = Literal["label", "labels", "number", "truth"]


class Column(NamedTuple):
    """A column that comes from an attribute."""

    name: str
    attribute: str
    kind: Kind


COLUMNS: Final = (
    Column("layer", sc.A_LAYER, "label"),
    Column("name", sc.A_NAME, "label"),
    Column("outcome", sc.A_OUTCOME, "label"),
    Column("ended_by", sc.A_ENDED_BY, "label"),
    Column("waiting_on", sc.A_WAITING_ON_TYPE, "label"),
    Column("waiting_on_name", sc.A_WAITING_ON_NAME, "label"),
    Column("cause", sc.A_CAUSE_TYPE, "label"),
    Column("cancelled_by", sc.A_CANCELLED_BY, "label"),
    Column("limit", sc.A_LIMIT_ID, "label"),
    Column("limit_source", sc.A_LIMIT_SOURCE, "label"),
    Column("intermediary", sc.A_INTERMEDIARY, "label"),
    Column("host", sc.SERVER_ADDRESS, "label"),
    Column("early", sc.A_EARLY, "truth"),
    Column("fault", sc.A_FAULT, "truth"),
    Column("origin", sc.A_ORIGIN, "truth"),
    Column("outermost", sc.A_OUTERMOST, "truth"),
    Column("silence", sc.A_SILENCE, "number"),
    Column("longest_gap", sc.A_LONGEST_GAP, "number"),
    Column("first", sc.A_FIRST_CHUNK, "number"),
    Column("limit_value", sc.A_LIMIT_VALUE, "number"),
    Column("status", sc.HTTP_STATUS, "number"),
    Column("chunks", sc.A_CHUNKS, "number"),
    Column("loop_late", sc.A_LOOP_LATE, "number"),
    Column("intermediaries", sc.A_INTERMEDIARIES, "labels"),
    Column("upstream_server", sc.A_UPSTREAM_SERVER, "label"),
    Column("reused", sc.A_CONNECTION_REUSED, "truth"),
    Column("idle", sc.A_CONNECTION_IDLE, "number"),
    Column("keep_alive", sc.A_CONNECTION_KEEP_ALIVE, "number"),
    Column("http_version", sc.NETWORK_PROTOCOL_VERSION, "label"),
    Column("close_type", sc.A_CLOSE_TYPE, "label"),
    Column("within_event", sc.A_CLOSE_WITHIN_EVENT, "truth"),
    Column("to_headers", sc.A_TIME_TO_HEADERS, "number"),
    Column("page", sc.A_REFUSAL_PAGE, "label"),
    Column("missing", sc.A_REFUSAL_MISSING, "labels"),
    Column("survived", sc.A_SURVIVED_SILENCE, "number"),
    Column("expected_timeout", sc.A_EXPECTED_TIMEOUT, "number"),
    Column("grace", sc.A_DISCONNECT_GRACE, "number"),
    Column("framework", sc.A_FRAMEWORK, "label"),
)

IDS: Final = ("trace_high", "trace_low", "span", "parent")
BESIDE: Final = ("service", "trace", "span", "parent", "start", "end")
"""What a row has that is no attribute, in this order, before the columns."""

AT: Final = {name: at for at, name in enumerate((*BESIDE, *(column.name for column in COLUMNS)))}
"""The place in a row of each cell, by its name."""
OF_ATTRIBUTE: Final = {column.attribute: AT[column.name] for column in COLUMNS}
"""The place in a row of each attribute."""

LABEL_LENGTH: Final = 200
"""Characters of a label, at most."""

Row = list[Any]
"""The values of ``BESIDE``, then one per column; none where there is none."""


def empty() -> Row:
    """A row in which nothing is known."""
    return [None] * len(AT)


def text(cell: Any) -> str | None:
    """A text, cut to the length of a label."""
    return cell[:LABEL_LENGTH] if isinstance(cell, str) else None


def joined(cell: Any) -> str | None:
    """The texts of OTLP's list, or of a JSON text of one, as logs' stores give it, between spaces."""
    if isinstance(cell, str):
        texts = re.findall(r"[a-z0-9_]+", cell)
    else:
        values = cell.get("values") if isinstance(cell, dict) else cell
        members = values if isinstance(values, list) else []
        texts = [
            text
            for each in members
            if isinstance(text := each.get("stringValue") if isinstance(each, dict) else each, str)
        ]
    return " ".join(texts)[:LABEL_LENGTH] or None


def truth(cell: Any) -> bool | None:
    """A truth value, or the text of one."""
    if isinstance(cell, str):
        return {"true": True, "false": False}.get(cell)
    return cell if isinstance(cell, bool) else None


def number(cell: Any) -> float | None:
    """A finite number, or the text of one."""
    if isinstance(cell, bool) or not isinstance(cell, (int, float, str)):
        return None
    try:
        number = float(cell)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def nanoseconds(cell: Any) -> int | None:
    """A moment in nanoseconds since the epoch, as a number or as the text of one."""
    if isinstance(cell, bool) or not isinstance(cell, (int, str)):
        return None
    try:
        number = int(cell)
    except ValueError:
        return None
    return number if 0 <= number < 2**63 else None
