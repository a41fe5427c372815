"""Real proxies before a server on loopback, each where it is installed."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from ports import free_port

from .nginx import nginx, wait_for

_HAPROXY: Final = """
defaults
  mode http
  timeout connect 2s
  timeout client 60s
  timeout server 60s
frontend in
  bind 127.0.0.1:{port}
  default_backend out
backend out
  server one 127.0.0.1:{upstream}
"""
_CADDY: Final = """
{{
  admin off
  auto_https off
}}
http://:{port} {{
  bind 127.0.0.1
  reverse_proxy 127.0.0.1:{upstream} {{
    flush_interval -1
  }}
}}
"""
_VARNISH: Final = """vcl 4.1;
backend default {{ .host = "127.0.0.1"; .port = "{upstream}"; }}
sub vcl_recv {{ return (pass); }}
"""
_LIGHTTPD: Final = """
server.document-root = "{folder}"
server.port = {port}
server.bind = "127.0.0.1"
server.modules = ("mod_proxy")
server.errorlog = "{folder}/error.log"
server.stream-response-body = 1
proxy.server = ("" => (("host" => "127.0.0.1", "port" => {upstream})))
"""
_INSTALLED: Final = {
    "haproxy": (_HAPROXY, ("haproxy", "-db", "-f", "{file}")),
    "caddy": (_CADDY, ("caddy", "run", "--adapter", "caddyfile", "--config", "{file}")),
    "varnish": (
        _VARNISH,
        (
            *("varnishd", "-F", "-n", "{folder}/work", "-j", "none", "-a", "127.0.0.1:{port}", "-f", "{file}"),
            *("-s", "malloc,16m", "-p", "thread_pools=1"),
        ),
    ),
    "lighttpd": (_LIGHTTPD, ("lighttpd", "-D", "-f", "{file}")),
}
NAMES: Final = ("nginx", *_INSTALLED)


@contextlib.contextmanager
def proxy(name: str, folder: Path, upstream: int) -> Iterator[str]:
    """The URL of this proxy before a port. Skips the test where it is not installed."""
    if name == "nginx":
        with nginx(folder, upstream, "proxy_buffering off;") as url:
            yield url
        return
    configuration, command = _INSTALLED[name]
    path = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"))
    program = shutil.which(command[0], path=path)
    if program is None:
        pytest.skip(f"{command[0]} is not installed")
    port = free_port()
    file = folder / "configuration"
    known = {"folder": folder, "port": port, "upstream": upstream, "file": file}
    file.write_text(configuration.format(**known), encoding="utf-8")
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, *(part.format(**known) for part in command[1:])],
            stdout=log,
            stderr=log,
            env={**os.environ, "HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)},
        )
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)
