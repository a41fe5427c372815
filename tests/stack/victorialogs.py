"""VictoriaLogs on a free port: the store of log events in the tests, where users have Loki."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from binaries import binary
from ports import free_port

from autogen_streamtrace.commands.reading.victorialogs import nanoseconds

from .server import HOST, Server, get


@dataclass(frozen=True)
class Line:
    """One log record: its time in nanoseconds, its body, and its fields.

    They are the attributes of the record and of its resource under their own names, ``trace_id``, ``span_id``, …
    """

    time_ns: int
    body: str
    fields: dict[str, str]


class VictoriaLogs(Server):
    """Takes OTLP at ``otlp``, answers ``lines``."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"http://{HOST}:{port}"
        self.otlp = f"{self.url}/insert/opentelemetry"
        command: list[str | Path] = [
            binary("victoria-logs"),
            f"-httpListenAddr={HOST}:{port}",
            "-storageDataPath=data",
            "-loggerLevel=WARN",
        ]
        super().__init__(command, folder, f"{self.url}/health")

    def lines(self, fields: Mapping[str, str]) -> list[Line]:
        """The records whose fields have these values, the oldest first."""
        query = " ".join(f"{json.dumps(name)}:={json.dumps(value)}" for name, value in fields.items())
        return sorted(map(line, self.ask(query or "*")), key=lambda found: found.time_ns)

    def ask(self, query: str) -> list[dict[str, str]]:
        """What LogsQL finds: records with their fields, or rows of a ``stats``."""
        # Source: https://docs.victoriametrics.com/victorialogs/querying/#querying-logs
        answer = get(f"{self.url}/select/logsql/query?{urlencode({'query': query})}")
        return [json.loads(told) for told in answer.splitlines()]

    def stats(self, kind: str, query: str, **parameters: object) -> list[dict[str, Any]]:
        """What a dashboard (``stats_query_range``) or vmalert (``stats_query``) gets for a query of numbers."""
        # Source: https://docs.victoriametrics.com/victorialogs/querying/#querying-log-stats
        answer = get(f"{self.url}/select/logsql/{kind}?{urlencode({'query': query, **parameters})}")
        return list(json.loads(answer)["data"]["result"])


def line(fields: dict[str, str]) -> Line:
    """One record of an answer."""
    return Line(nanoseconds(fields.pop("_time")), fields.pop("_msg", ""), fields)
