"""What names an intermediary or a server on the wire: closed lists, as data.

Each row is a name, a header in lower case, and what its value contains in lower case (empty: anything). The first row
of a header that fits one of its values counts.
"""

from typing import Final

Sign = tuple[str, str, str]

INTERMEDIARIES: Final[tuple[Sign, ...]] = (
    ("cloudflare", "cf-ray", ""),
    ("cloudflare", "server", "cloudflare"),
    ("aws_cloudfront", "x-amz-cf-id", ""),
    ("aws_cloudfront", "via", "cloudfront"),
    ("azure_front_door", "x-azure-ref", ""),
    ("fastly", "x-served-by", "cache-"),
    ("akamai", "server", "akamai"),
    ("akamai", "x-akamai-request-id", ""),
    ("vercel", "x-vercel-id", ""),
    ("netlify", "x-nf-request-id", ""),
    ("fly", "fly-request-id", ""),
    ("fly", "via", "fly.io"),
    ("railway", "x-railway-edge", ""),
    ("azure_api_management", "apim-request-id", ""),
    ("aws_api_gateway", "x-amz-apigw-id", ""),
    ("aws_api_gateway", "apigw-requestid", ""),
    ("aws_alb", "server", "awselb"),
    ("azure_application_gateway", "server", "microsoft-azure-application-gateway"),
    ("google_front_end", "via", "google"),
    ("google_front_end", "server", "google frontend"),
    ("heroku_router", "via", "vegur"),
    ("heroku_router", "via", "heroku"),
    ("iis_arr", "x-powered-by", "arr/"),
    ("kong", "via", "kong"),
    ("kong", "x-kong-proxy-latency", ""),
    ("kong", "x-kong-request-id", ""),
    ("traefik", "via", "traefik"),
    ("varnish", "via", "varnish"),
    ("varnish", "server", "varnish"),
    ("varnish", "x-varnish", ""),
    ("squid", "via", "squid"),
    ("squid", "server", "squid"),
    ("squid", "x-squid-error", ""),
    ("squid", "x-cache-lookup", ""),
    ("traffic_server", "via", "trafficserver"),
    ("traffic_server", "server", "ats/"),
    ("envoy", "server", "envoy"),
    ("envoy", "x-envoy-upstream-service-time", ""),
    ("envoy", "x-envoy-decorator-operation", ""),
    ("envoy", "x-envoy-attempt-count", ""),
    ("caddy", "via", "caddy"),
    ("caddy", "server", "caddy"),
    ("apisix", "server", "apisix"),
    ("nginx", "server", "nginx"),
    ("nginx", "server", "openresty"),
    ("nginx", "server", "tengine"),
    ("nginx", "server", "angie"),
    ("apache", "server", "apache"),
    ("lighttpd", "server", "lighttpd"),
    ("litellm", "x-litellm-version", ""),
    ("litellm", "x-litellm-call-id", ""),
)
"""In a response, from the outside inwards."""

EDGES: Final = frozenset(
    {
        "cloudflare",
        "aws_cloudfront",
        "azure_front_door",
        "fastly",
        "akamai",
        "vercel",
        "netlify",
        "fly",
        "railway",
        "azure_api_management",
        "aws_api_gateway",
        "aws_alb",
        "azure_application_gateway",
        "google_front_end",
        "heroku_router",
    }
)
"""Those of a cloud's edge: they stand before what an operator runs."""

REWRITERS: Final = frozenset({"cloudflare"})
"""Edges that always write ``Server``: where it names another one, that one stands before them."""

OWN_ANSWERS: Final[tuple[Sign, ...]] = (
    ("squid", "x-squid-error", ""),
    ("varnish", "server", "varnish"),
    ("aws_alb", "server", "awselb"),
    ("azure_application_gateway", "server", "microsoft-azure-application-gateway"),
    ("akamai", "server", "akamaighost"),
)
"""What stands only in answers that the intermediary made itself."""

ASKERS: Final[tuple[Sign, ...]] = (
    ("lighttpd", "x-host", ""),
    ("nginx", "x-nginx-proxy", ""),
    ("nginx", "x-scheme", ""),
    ("apache", "x-forwarded-server", ""),
    ("litellm", "x-litellm-call-id", ""),
    ("envoy", "x-envoy-expected-rq-timeout-ms", ""),
    ("envoy", "x-envoy-external-address", ""),
    ("envoy", "x-envoy-attempt-count", ""),
    ("envoy", "x-envoy-internal", ""),
    ("envoy", "x-envoy-decorator-operation", ""),
    ("envoy", "x-envoy-peer-metadata-id", ""),
    ("caddy", "via", "caddy"),
    ("varnish", "via", "varnish"),
    ("varnish", "x-varnish", ""),
    ("squid", "via", "squid"),
    ("traffic_server", "via", "trafficserver"),
    ("traefik", "via", "traefik"),
    ("kong", "via", "kong"),
    ("kong", "x-kong-request-id", ""),
    ("iis_arr", "x-arr-log-id", ""),
    ("heroku_router", "via", "heroku"),
    ("heroku_router", "via", "vegur"),
    ("google_front_end", "via", "google"),
    ("google_front_end", "x-cloud-trace-context", ""),
    ("azure_application_gateway", "x-appgw-trace-id", ""),
    ("aws_api_gateway", "x-amzn-apigateway-api-id", ""),
    ("aws_alb", "x-amzn-trace-id", ""),
    ("railway", "x-railway-edge", ""),
    ("fly", "fly-request-id", ""),
    ("fly", "fly-client-ip", ""),
    ("netlify", "x-nf-request-id", ""),
    ("vercel", "x-vercel-id", ""),
    ("akamai", "akamai-origin-hop", ""),
    ("fastly", "fastly-client-ip", ""),
    ("fastly", "fastly-ff", ""),
    ("azure_front_door", "x-azure-fdid", ""),
    ("azure_front_door", "x-azure-ref", ""),
    ("aws_cloudfront", "via", "cloudfront"),
    ("aws_cloudfront", "x-amz-cf-id", ""),
    ("cloudflare", "cf-ray", ""),
    ("cloudflare", "cf-connecting-ip", ""),
)
"""In a request, from this process outwards."""

SERVERS: Final[tuple[tuple[str, str], ...]] = (
    ("uvicorn", "uvicorn"),
    ("gunicorn", "gunicorn"),
    ("hypercorn", "hypercorn"),
    ("granian", "granian"),
    ("daphne", "daphne"),
    ("waitress", "waitress"),
    ("werkzeug", "werkzeug"),
    ("tornado", "tornadoserver"),
    ("aiohttp", "aiohttp"),
    ("cheroot", "cheroot"),
    ("llama.cpp", "llama.cpp"),
    ("kestrel", "kestrel"),
    ("iis", "microsoft-iis"),
    ("jetty", "jetty"),
    ("tomcat", "apache-coyote"),
    ("cowboy", "cowboy"),
    ("puma", "puma"),
    ("unit", "unit/"),
    ("google", "scaffolding on httpserver2"),
    ("google", "esf"),
    ("vercel", "vercel"),
)
"""What answers requests itself: its name, and what ``Server`` contains."""
