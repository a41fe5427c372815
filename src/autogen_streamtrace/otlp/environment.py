"""The choices of the ``OTEL_*`` variables: which exporters, which protocol, which endpoint.

Names and defaults as in the SDK's own set-up, with two differences: where
``OTEL_<SIGNAL>_EXPORTER`` is unset the exporter is ``otlp``, and a wrong value is an error that says what is allowed.
The SDK's classes and exporters read all else themselves: headers, certificates, timeouts, limits, intervals.
"""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from opentelemetry.sdk.environment_variables import OTEL_SDK_DISABLED

from autogen_streamtrace.otlp.components import installed, load
from autogen_streamtrace.settings import SettingError

Signal = Literal["traces", "metrics", "logs"]

GRPC: Final = "otlp_proto_grpc"
HTTP: Final = "otlp_proto_http"
_PROTOCOLS: Final = {"grpc": GRPC, "http/protobuf": HTTP}
_CONNECTING: Final = 0.1
"""Seconds within which a connection is made or refused."""
_DEFAULT_ENDPOINTS: Final = {GRPC: "http://localhost:4317", HTTP: "http://localhost:4318"}


@dataclass(frozen=True)
class Target:
    """Where one exporter sends one signal: the exporter's class and the endpoint's name for messages.

    ``endpoint`` has no user, path or query, since it stands in log lines.
    """

    signal: Signal
    name: str
    exporter: type[Any]
    endpoint: str
    address: str = ""
    """The endpoint with its path, which tells two backends apart."""

    def make(self) -> Any:
        """A new exporter, by the variables as they are now. One of OTLP's encodes as cheaply as we can."""
        made = self.make_plain()
        if self.protocol and self.signal != "metrics":
            import_module("autogen_streamtrace.otlp.encoding.batches").speed_up(made, self.signal)
        return made

    def make_plain(self) -> Any:
        """The same with the exporter's own encoder."""
        if self.name == GRPC and _first("COMPRESSION", self.signal).strip().lower() == "none":
            # This exporter refuses the standard's "none" when it reads the variable itself.
            return self.exporter(compression=import_module("grpc").Compression.NoCompression)
        if self.name == HTTP and _first("CERTIFICATE", self.signal) and not _has_credential_provider(self.signal):
            return self.exporter(session=_session())
        return self.exporter()

    def listens(self) -> bool:
        """Whether something accepts connections there. May wait until a name is resolved."""
        if self.name not in _DEFAULT_ENDPOINTS:
            return True
        try:
            url = urlsplit(self.endpoint if "://" in self.endpoint else f"//{self.endpoint}")
            port = url.port or {"https": 443, "http": 80}.get(url.scheme)
            if not url.hostname or port is None:
                return True
            socket.create_connection((url.hostname, port), _CONNECTING).close()
        except (ConnectionRefusedError, socket.gaierror):
            return False
        except (OSError, ValueError):
            return True
        return True

    @property
    def protocol(self) -> str:
        """``grpc`` or ``http/protobuf``; empty where the exporter is not OTLP's."""
        return next((protocol for protocol, name in _PROTOCOLS.items() if name == self.name), "")


def sdk_disabled() -> bool:
    """Whether ``OTEL_SDK_DISABLED`` is true."""
    return os.environ.get(OTEL_SDK_DISABLED, "").strip().lower() == "true"


def targets(signal: Signal) -> list[Target]:
    """The exporters that ``OTEL_<SIGNAL>_EXPORTER`` names, in its order.

    Raises:
        SettingError: an exporter that is not installed, or a protocol that is not supported.
    """
    variable = f"OTEL_{signal.upper()}_EXPORTER"
    names = [each.strip() for each in (os.environ.get(variable) or "otlp").split(",")]
    chosen = dict.fromkeys(_entry_point(name, signal) for name in names if name and name.lower() != "none")
    return [
        Target(signal, name, _load(name, signal, variable), _endpoint(name, signal), _address(name, signal))
        for name in chosen
    ]


def _entry_point(name: str, signal: Signal) -> str:
    if name != "otlp":
        return name
    for variable in _variables("PROTOCOL", signal):
        protocol = os.environ.get(variable, "").strip()
        if protocol:
            if protocol not in _PROTOCOLS:
                raise SettingError(f"{variable}: {protocol!r} is not allowed; allowed: {', '.join(_PROTOCOLS)}")
            return _PROTOCOLS[protocol]
    return GRPC


def _load(name: str, signal: Signal, variable: str) -> type[Any]:
    group = f"opentelemetry_{signal}_exporter"
    found: type[Any] | None = load(group, name)
    if found is None:
        allowed = sorted({"none", *installed(group)})
        raise SettingError(f"{variable}: {name!r} is not allowed; allowed here: {', '.join(allowed)}")
    return found


def _endpoint(name: str, signal: Signal) -> str:
    if name not in _DEFAULT_ENDPOINTS:
        return f"the {name} exporter"
    return _bare(_first("ENDPOINT", signal) or _DEFAULT_ENDPOINTS[name])


def _address(name: str, signal: Signal) -> str:
    if name not in _DEFAULT_ENDPOINTS:
        return name
    url = _first("ENDPOINT", signal) or _DEFAULT_ENDPOINTS[name]
    return _bare(url).rstrip("/") + urlsplit(url).path.rstrip("/")


def _bare(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}" if host else url.partition("?")[0]


def _first(suffix: str, signal: Signal) -> str:
    return next(filter(None, (os.environ.get(variable, "") for variable in _variables(suffix, signal))), "")


def _variables(suffix: str, signal: Signal) -> Iterator[str]:
    yield f"OTEL_EXPORTER_OTLP_{signal.upper()}_{suffix}"
    yield f"OTEL_EXPORTER_OTLP_{suffix}"


def _has_credential_provider(signal: Signal) -> bool:
    """Whether the exporter gets its session from an entry point."""
    prefix = "OTEL_PYTHON_EXPORTER_OTLP_HTTP_"
    return any(os.environ.get(f"{prefix}{each}CREDENTIAL_PROVIDER") for each in ("", f"{signal.upper()}_"))


def _session() -> Any:
    """A ``requests`` session that uses its own certificates.

    Otherwise ``REQUESTS_CA_BUNDLE`` would win over the certificate that ``OTEL_*`` names for OTLP.
    """
    session = import_module("requests").Session()
    merge = session.merge_environment_settings

    def merge_environment_settings(url: Any, proxies: Any, stream: Any, verify: Any, cert: Any) -> Any:
        return merge(url, proxies, stream, session.verify if verify is None else verify, cert)

    session.merge_environment_settings = merge_environment_settings
    return session
