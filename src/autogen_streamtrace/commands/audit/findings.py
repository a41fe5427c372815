"""What is wrong with a program's timeouts."""

import ipaddress
import itertools
import math
from collections.abc import Iterator, Sequence

from autogen_streamtrace.commands.audit import servers
from autogen_streamtrace.commands.audit.program import KEEPALIVE
from autogen_streamtrace.commands.audit.timeouts import Timeout


def findings(timeouts: Sequence[Timeout]) -> Iterator[str]:
    """A sentence for each unbounded wait, timeout that cannot strike, and connection that may close too early."""
    for each in timeouts:
        if each.kind == "none" and each.bounds and each.layer in ("tool", "model", "http"):
            what = "can hang for ever" if each.layer == "tool" else "waits for ever on a server that says nothing"
            yield f"{' › '.join(each.whose)} has no bound: {each.setting} is {each.kind}; it {what}."
    for outer, inner in itertools.permutations(timeouts, 2):
        if _encloses(outer, inner) and (inner.longest or 0.0) > (outer.seconds or math.inf):
            tries = f" in {inner.tries} tries" if inner.tries > 1 else ""
            yield (
                f"{inner.setting} of {' › '.join(inner.whose)} allows {inner.longest:g} s{tries}, "
                f"longer than {outer.setting} of {' › '.join(outer.whose)} ({outer.seconds:g} s), "
                "which strikes first and says less."
            )
    yield from _races(timeouts)


def _races(timeouts: Sequence[Timeout]) -> Iterator[str]:
    """Clients of this program's that keep a connection for as long as a server of the same kind does, or longer."""
    kept = [each for each in timeouts if each.setting in servers.KEEP_ALIVES and each.layer == "server"]
    clients = [each for each in timeouts if each.setting == KEEPALIVE and _own(each.host)]
    for server, client in itertools.product(kept, clients):
        if server.seconds is not None and (client.seconds is None or client.seconds >= server.seconds):
            expiry = "for ever" if client.seconds is None else f"for {client.seconds:g} s"
            yield (
                f"{' › '.join(client.whose)} keeps an idle connection {expiry} ({client.setting}), {server.whose[0]} "
                f"for {server.seconds:g} s ({server.setting}): a request may meet a connection that is "
                f"just being closed. Set httpx.Limits(keepalive_expiry=…) below {server.seconds:g} s, or raise "
                f"{server.setting}."
            )


def _own(host: str) -> bool:
    """It may be a server of one's own; a host of the public internet is somebody else's."""
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".svc"))


def _encloses(outer: Timeout, inner: Timeout) -> bool:
    if not (outer.bounds and inner.bounds) or outer is inner:
        return False
    if outer.layer == "server":
        return inner.layer != "server"
    return len(outer.whose) < len(inner.whose) and inner.whose[: len(outer.whose)] == outer.whose
