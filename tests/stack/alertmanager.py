"""Alertmanager as it is shipped, and who gets its messages in place of Slack, PagerDuty and a mail server."""

import email.policy
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.parser import BytesParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import httpx
import yaml
from aiosmtpd.controller import Controller
from dashboards.board import ALERTS
from ports import free_port

from .server import HOST, Server, get_json

BINARY: Final = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")

QUERY: Final = "http://prometheus.example/graph?g0.expr=up"
"""Where an alert was seen."""


@dataclass
class Inbox:
    """What arrived: the bodies of Slack's webhook and PagerDuty's events, and mails."""

    slack: list[dict[str, Any]] = field(default_factory=list)
    pagerduty: list[dict[str, Any]] = field(default_factory=list)
    mails: list[EmailMessage] = field(default_factory=list)
    http_port: int = 0
    smtp_port: int = 0

    async def handle_DATA(self, server: object, session: object, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        self.mails.append(BytesParser(EmailMessage, policy=email.policy.default).parsebytes(envelope.content))
        return "250 OK"


@contextmanager
def inbox() -> Iterator[Inbox]:
    """Servers for both protocols, until the block ends."""
    found = Inbox()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            (found.slack if self.path == "/slack" else found.pagerduty).append(body)
            self.send_response(200 if self.path == "/slack" else 202)
            self.end_headers()

        def log_message(self, *arguments: object) -> None:
            """A test's output has no place for requests."""

    web = ThreadingHTTPServer((HOST, 0), Handler)
    Thread(target=web.serve_forever, daemon=True).start()
    mail = Controller(found, hostname=HOST, port=free_port())
    mail.start()
    found.http_port, found.smtp_port = web.server_port, mail.port
    yield found
    mail.stop()
    web.shutdown()
    web.server_close()


class Alertmanager(Server):
    """Sends to an inbox, at once; everything else is as shipped."""

    def __init__(self, folder: Path, to: Inbox) -> None:
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(ALERTS / "message.tmpl", folder)
        (folder / "alertmanager.yaml").write_text(yaml.safe_dump(configuration(folder, to)))
        command: list[str | Path] = [
            str(BINARY),
            "--config.file=alertmanager.yaml",
            "--storage.path=data",
            f"--web.listen-address={HOST}:{self.port}",
            "--cluster.listen-address=",
        ]
        super().__init__(command, folder, f"{self.url}/-/ready")

    def alert(self, labels: dict[str, str], annotations: dict[str, str], **times: str) -> None:
        """Takes an alert, as Prometheus sends it; ``endsAt``, where it is given, resolves it."""
        told = {"labels": labels, "annotations": annotations, "generatorURL": QUERY, **times}
        sent = httpx.post(f"{self.url}/api/v2/alerts", json=[told])
        sent.raise_for_status()

    def inhibited(self) -> set[str]:
        """The names of the alerts that another keeps back."""
        alerts = get_json(f"{self.url}/api/v2/alerts")
        return {each["labels"]["alertname"] for each in alerts if each["status"]["inhibitedBy"]}


def configuration(folder: Path, to: Inbox) -> dict[str, Any]:
    """The shipped configuration with the addresses of an inbox, and without a wait."""
    shipped: dict[str, Any] = yaml.safe_load((ALERTS / "alertmanager.yaml").read_text())
    (folder / "slack").write_text(f"http://{HOST}:{to.http_port}/slack")
    (folder / "pagerduty").write_text("a-routing-key-of-thirty-two-chars")
    shipped["global"] |= {"smtp_smarthost": f"{HOST}:{to.smtp_port}", "smtp_require_tls": False}
    shipped["global"]["pagerduty_url"] = f"http://{HOST}:{to.http_port}/pagerduty"
    shipped["route"] |= {"group_wait": "1s", "group_interval": "1s"}
    for receiver in shipped["receivers"]:
        for each in receiver.get("slack_configs", ()):
            each["api_url_file"] = str(folder / "slack")
        for each in receiver.get("pagerduty_configs", ()):
            each["routing_key_file"] = str(folder / "pagerduty")
    return shipped
