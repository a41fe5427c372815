"""The deployments: what stands where, what its users ask for, what cuts them, and what has to be said of it."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

SEED: Final = 7


@dataclass(frozen=True)
class Asked:
    """What one end user asks for."""

    at: float
    """Seconds after the beginning."""
    message: str
    leaves: float = 60.0
    """Seconds after which the user gives up."""


@dataclass(frozen=True)
class Said:
    """What `diagnose` has to say of most of what was cut; nothing, where nothing cuts."""

    kind: str
    seconds: float | None = None
    party: str = ""
    """Part of the party; empty where nothing names anybody."""
    fix: str = ""
    """Part of the fix."""


@dataclass(frozen=True)
class Deployment:
    """A way in which proxies stand between end users, application and model."""

    name: str
    said: Said | None
    asked: Callable[[random.Random], list[Asked]]
    behind: tuple[tuple[str, Mapping[str, str]], ...] = ()
    """Between the application and the model, the farthest from the model first."""
    before: tuple[tuple[str, Mapping[str, str]], ...] = ()
    """Between the end users and the application."""
    after: tuple[float, Literal["reload", "kill"]] | None = None
    """What happens to the proxy behind the application, and when."""
    keep: float | None = None
    """Seconds for which the model keeps an idle connection."""
    read_timeout: float | None = None
    """The client's own, in seconds."""
    cut: int = 5
    """How many have to be cut for it to have happened."""
    always: bool = field(default=False)
    """It needs nothing but what pip brings."""


def silent(limit: float) -> Callable[[random.Random], list[Asked]]:
    """Twenty streams fall silent for longer than the limit; others stay below it."""

    def load(random_: random.Random) -> list[Asked]:
        cut = [
            Asked(4 * random_.random(), f"wait=0.1 words={random_.randint(2, 30)} pause=0.05 silence={limit + 4}")
            for _ in range(20)
        ]
        return [*cut, *_good(random_, 20, 0.6 * limit)]

    return load


def unanswered(limit: float) -> Callable[[random.Random], list[Asked]]:
    """Twenty requests are not answered within the limit."""

    def load(random_: random.Random) -> list[Asked]:
        return [*(Asked(4 * random_.random(), f"wait={limit + 4}") for _ in range(20)), *_good(random_, 20, 0.5)]

    return load


def long(random_: random.Random) -> list[Asked]:
    """Sixty streams of one to five seconds that talk all the time."""
    return [Asked(6 * random_.random(), f"wait=0.1 words={random_.randint(20, 90)} pause=0.06") for _ in range(60)]


def capped(limit: float) -> Callable[[random.Random], list[Asked]]:
    """Twenty streams talk for longer than the limit."""

    def load(random_: random.Random) -> list[Asked]:
        cut = [Asked(5 * random_.random(), f"words={round((limit + 4) / 0.08)} pause=0.08") for _ in range(20)]
        return [*cut, *_good(random_, 20, 0.4)]

    return load


def leaving(seconds: float) -> Callable[[random.Random], list[Asked]]:
    """Twenty users give up after a fixed time."""

    def load(random_: random.Random) -> list[Asked]:
        gone = [Asked(5 * random_.random(), "words=120 pause=0.06", seconds) for _ in range(20)]
        return [*gone, *_good(random_, 20, 0.4)]

    return load


def again_after(idle: float) -> Callable[[random.Random], list[Asked]]:
    """Six users ask again and again, about as long after the last answer as the server keeps a connection."""

    def load(random_: random.Random) -> list[Asked]:
        asked = []
        for user in range(6):
            at = 0.05 * user
            for _ in range(8):
                asked.append(Asked(at, "words=2 pause=0.005"))
                at += idle + random_.uniform(-0.03, 0.06)
        return asked

    return load


def _good(random_: random.Random, count: int, silence: float) -> list[Asked]:
    message = "wait={:.2f} words={} pause=0.04 silence={:.2f}"
    return [
        Asked(
            4 * random_.random(),
            message.format(0.3 * random_.random(), random_.randint(5, 25), silence * random_.random()),
        )
        for _ in range(count)
    ]


PROXY: Final = "proxy_read_timeout"
GZIP: Final = {
    "buffering": "on",
    "location": "gzip on; gzip_types text/event-stream; gzip_proxied any; gzip_min_length 0;",
}
DEPLOYMENTS: Final = (
    Deployment(
        "nginx_silence",
        Said("silence", 2.5, "nginx", PROXY),
        silent(2.5),
        behind=(("nginx", {"location": "proxy_read_timeout 2500ms;"}),),
        always=True,
    ),
    Deployment(
        "nginx_first_byte",
        Said("first_byte", 2.5, "nginx", PROXY),
        unanswered(2.5),
        behind=(("nginx", {"location": "proxy_read_timeout 2500ms;"}),),
        always=True,
    ),
    Deployment(
        "nginx_limit_conn",
        Said("refused", None, "nginx", "limit_conn"),
        long,
        behind=(("nginx", {"http": "limit_conn_zone $binary_remote_addr zone=z:1m;", "location": "limit_conn z 6;"}),),
        always=True,
    ),
    Deployment(
        "nginx_reload",
        Said("moment", None, "nginx", "worker_shutdown_timeout"),
        long,
        behind=(("nginx", {"main": "worker_shutdown_timeout 1s;"}),),
        after=(3.0, "reload"),
        always=True,
    ),
    Deployment(
        "nginx_killed",
        Said("moment", None, "nginx", "worker_shutdown_timeout"),
        long,
        behind=(("nginx", {}),),
        after=(4.0, "kill"),
        always=True,
    ),
    Deployment(
        "nginx_before",
        Said("silence", 2.5, "", PROXY),
        silent(2.5),
        before=(("nginx", {"location": "proxy_read_timeout 2500ms;"}),),
        always=True,
    ),
    Deployment("users_leave", Said("reader", 3.0, "end user", "front end"), leaving(3.0)),
    Deployment("nothing", None, long, behind=(("nginx", {}),)),
    Deployment(
        "nginx_gzip",
        Said("buffering", None, "nginx", "gzip"),
        long,
        behind=(("nginx", GZIP),),
        read_timeout=2.5,
    ),
    Deployment(
        "haproxy_silence",
        Said("silence", 2.3, "", "timeout server"),
        silent(2.3),
        behind=(("haproxy", {"defaults": "timeout server 2300ms"}),),
    ),
    Deployment(
        "haproxy_first_byte",
        Said("first_byte", 2.3, "HAProxy", "timeout server"),
        unanswered(2.3),
        behind=(("haproxy", {"defaults": "timeout server 2300ms"}),),
    ),
    Deployment(
        "haproxy_queue",
        Said("queue", 1.5, "HAProxy", "maxconn"),
        long,
        behind=(("haproxy", {"defaults": "timeout queue 1500ms", "server": "maxconn 8"}),),
    ),
    Deployment(
        "caddy_whole_response",
        Said("duration", 3.5, "Caddy", "write"),
        capped(3.5),
        behind=(("caddy", {"servers": "timeouts {\n write 3500ms\n }"}),),
    ),
    Deployment(
        "varnish_silence",
        Said("silence", 2.4, "Varnish", "between_bytes_timeout"),
        silent(2.4),
        behind=(("varnish", {"backend": ".between_bytes_timeout = 2.4s;"}),),
    ),
    Deployment(
        "haproxy_before_nginx",
        Said("silence", 2.0, "next to it", PROXY),
        silent(2.0),
        behind=(("haproxy", {"defaults": "timeout server 2s"}), ("nginx", {})),
    ),
)
