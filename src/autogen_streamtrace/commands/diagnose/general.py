"""General fixes by kind of cause, for a setting whose party is not known."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from autogen_streamtrace.commands.diagnose.scene import Kind


class General(NamedTuple):
    """A general fix, for a setting whose party is not known."""

    setting: str
    """The sort of setting."""
    fix: str


GENERAL: Final[Mapping[Kind, General]] = {
    "silence": General(
        "read or idle timeout",
        "Raise the read timeout of what stands there above the longest pause (nginx proxy_read_timeout, HAProxy "
        "timeout server, Apache ProxyTimeout, Envoy stream_idle_timeout), or send a comment line such as `: ping` "
        "every few seconds.",
    ),
    "first_byte": General(
        "time to the first byte",
        "Raise the read timeout of what stands there above the longest wait for the first byte (nginx "
        "proxy_read_timeout, HAProxy timeout server, Apache ProxyTimeout), or answer with headers and a comment line "
        "such as `: ping` at once.",
    ),
    "duration": General(
        "limit of the whole response",
        "Raise the limit of the whole response of what stands there above the longest turn, or switch it off (Envoy "
        "route timeout, Caddy timeouts write, the request timeout of a gateway).",
    ),
    "reader": General(
        "limit of the whole response, or the front end's own",
        "Raise the front end's own timeout, or the limit of the whole response of what stands between the end user "
        "and this program (Envoy route timeout, Caddy timeouts write), above the longest turn.",
    ),
    "moment": General(
        "drain time at a restart or reload",
        "Let open streams drain: give what restarts a grace period above the longest turn (nginx "
        "worker_shutdown_timeout, HAProxy hard-stop-after, uvicorn --timeout-graceful-shutdown, a pod's "
        "terminationGracePeriodSeconds), and stop sending it new requests before that.",
    ),
    "reuse": General(
        "keep-alive time of the client and the server",
        "Let the client give up idle connections first: httpx.Limits(keepalive_expiry=…) below the server's own time, "
        "or raise the server's above the client's 5 s (uvicorn --timeout-keep-alive, gunicorn keepalive, HAProxy "
        "timeout http-keep-alive, nginx keepalive_timeout, Node keepAliveTimeout). It is safe to retry: nothing was "
        "answered.",
    ),
    "refused": General(
        "limit of connections, or a backend that is down",
        "See in its log why it asks nobody: a limit of connections or requests (nginx limit_conn, HAProxy maxconn, "
        "Envoy circuit breakers), or a backend that is down or closes kept connections first. A retry at once feeds "
        "it.",
    ),
    "queue": General(
        "queue and limit of connections",
        "Let more requests through to the server, or wait longer for a free place (HAProxy maxconn and timeout queue, "
        "Envoy circuit breakers); a retry at once makes the queue longer.",
    ),
    "buffering": General(
        "buffering and compression",
        "Switch off buffering and compression for text/event-stream on the way (nginx gzip and proxy_buffering, Caddy "
        "flush_interval -1, Apache mod_deflate), or answer with X-Accel-Buffering: no.",
    ),
    "deadline": General(
        "a timer of this program's",
        "Look for a timer of that length in the program (asyncio.timeout, wait_for, a job's time limit): "
        "`autogen-streamtrace audit` lists those that it knows.",
    ),
}
