"""What a response's headers say: which request it was to its sender, and what stood in between.

Of no other header is a value read.
"""

from collections.abc import Iterable, Mapping
from typing import Final

REQUEST_IDS: Final = (
    "x-request-id",
    "request-id",
    "cf-ray",
    "x-amzn-requestid",
    "x-amz-cf-id",
    "apim-request-id",
    "x-ms-request-id",
    "x-azure-ref",
)
"""What a provider's or a proxy's support asks for."""

INTERMEDIARIES: Final = (
    ("cloudflare", "cf-ray", ""),
    ("aws_cloudfront", "x-amz-cf-id", ""),
    ("azure_front_door", "x-azure-ref", ""),
    ("azure_api_management", "apim-request-id", ""),
    ("aws_api_gateway", "x-amz-apigw-id", ""),
    ("aws_api_gateway", "apigw-requestid", ""),
    ("aws_alb", "server", "awselb"),
    ("azure_application_gateway", "server", "microsoft-azure-application-gateway"),
    ("google_front_end", "via", "google"),
    ("heroku_router", "via", "vegur"),
    ("heroku_router", "via", "heroku"),
    ("varnish", "via", "varnish"),
    ("squid", "via", "squid"),
    ("envoy", "x-envoy-upstream-service-time", ""),
    ("envoy", "server", "envoy"),
    ("caddy", "via", "caddy"),
    ("caddy", "server", "caddy"),
    ("nginx", "server", "nginx"),
    ("nginx", "server", "openresty"),
)
"""Name, header, what its value contains (empty: anything). The first that fits, from the outside inwards."""


def read(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """Headers by lower-case name; of repeated ones the last."""
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in raw}


def request_ids(headers: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The allowed headers that came, by lower-case name."""
    return tuple((name, headers[name]) for name in REQUEST_IDS if name in headers)


def intermediary(headers: Mapping[str, str]) -> str:
    """What stood in between, from the closed list of ``INTERMEDIARIES``; else empty."""
    return next((name for name, header, part in INTERMEDIARIES if _says(headers, header, part)), "")


def _says(headers: Mapping[str, str], header: str, part: str) -> bool:
    value = headers.get(header)
    return value is not None and part in value.lower()
