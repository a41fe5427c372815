"""Baggage entries that the operator names, such as a tenant: on spans and events, and with listed values on metrics.

https://www.w3.org/TR/baggage/
"""

from collections.abc import Collection, Mapping
from typing import Any

from opentelemetry.baggage import get_all
from opentelemetry.context import Context

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.stream.state import StreamInfo


class Baggage:
    """Reads the chosen entries.

    Args:
        chosen: the entries' keys, each with the values that it may have on metrics. An entry without values is on none.
    """

    def __init__(self, chosen: Mapping[str, Collection[str]]) -> None:
        self._chosen = {key: frozenset(values) for key, values in chosen.items()}

    def carried(self, info: StreamInfo, context: Context) -> StreamInfo:
        """A stream's ``info`` with the entries of the context in which it starts."""
        if not self._chosen:
            return info
        entries = get_all(context)
        found = tuple((key, str(entries[key])) for key in self._chosen if key in entries)
        return info._replace(attributes=info.attributes + found) if found else info

    def attributes(self, info: StreamInfo) -> dict[str, Any]:
        """The entries of a stream."""
        return {key: value for key, value in info.attributes if key in self._chosen} if self._chosen else {}

    def labels(self, info: StreamInfo) -> dict[str, Any]:
        """The entries that may be on metrics; a value that is not listed reads ``_OTHER``."""
        if not self._chosen:
            return {}
        return {
            key: value if value in self._chosen[key] else sc.OTHER
            for key, value in self.attributes(info).items()
            if self._chosen[key]
        }
