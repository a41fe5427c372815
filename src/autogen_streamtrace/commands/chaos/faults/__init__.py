"""The faults: everything that the proxy, the demo and the tests do to a reply. This table is the only one."""

from typing import Final

from autogen_streamtrace.commands.chaos.faults import cuts, refusals, shapes
from autogen_streamtrace.commands.chaos.faults.fault import AT_ONCE, BEFORE, Dose, Fault
from autogen_streamtrace.commands.chaos.faults.place import Place

__all__ = ["FAULTS", "Dose", "Fault", "Place"]

_SECONDS: Final = {"seconds": "how long; then the reply goes on. Without it: until the client leaves"}
_LUMPS: Final = {"size": "bytes of a lump (4096)", "seconds": "the longest that a byte is held back"}
_DRIPS: Final = {"size": "bytes at a time (1)", "pause": "seconds between them (0.05)"}
_RETRY_AFTER: Final = {"retry_after": "the value of the header `retry-after`"}

FAULTS: Final[dict[str, Fault]] = {
    fault.name: fault
    for fault in (
        Fault("none", "nothing: the reply passes", shapes.whole, Place("never")),
        Fault("stall", "the body falls silent", cuts.stall, takes=_SECONDS),
        Fault("stall_before_headers", "no answer comes", cuts.stall, BEFORE, takes=_SECONDS),
        Fault("fin", "the connection is closed", cuts.cut("fin")),
        Fault("rst", "the connection is reset", cuts.cut("rst")),
        Fault("rst_stream", "HTTP/2 resets the stream; HTTP/1 closes the connection", cuts.cut("stream")),
        Fault("goaway", "HTTP/2 says GOAWAY and closes; HTTP/1 closes the connection", cuts.cut("goaway")),
        Fault("silent", "the body ends cleanly in mid-sentence", cuts.silent),
        Fault("done_hang", "the reply comes whole; HTTP's own end does not", cuts.withheld_end, AT_ONCE),
        Fault("error_event", "the provider reports an error inside the stream", cuts.error_event),
        Fault("bad_json", "an event is cut in two, then the body ends cleanly", cuts.bad_json),
        Fault("half_event", "the body ends cleanly inside an event", cuts.half_event),
        Fault("gzip", "the body is compressed", shapes.whole, AT_ONCE, compress=True),
        Fault("gzip_silent", "a compressed body ends cleanly in mid-sentence", cuts.silent, compress=True),
        Fault("gzip_cut", "a compressed body ends without its end", cuts.unfinished, compress=True),
        Fault("drip", "a few bytes at a time", shapes.drip, AT_ONCE, takes=_DRIPS),
        Fault("burst", "in lumps, as a buffering proxy passes it on", shapes.burst, AT_ONCE, takes=_LUMPS),
        Fault("hold_back", "all at once, when it is over", shapes.hold_back, AT_ONCE),
        Fault("no_stream", "a web page with status 200", refusals.no_stream, BEFORE),
        Fault("retry", "503 with `retry-after-ms`", refusals.retry, BEFORE, heals=True),
        *(
            Fault(f"http_{code}", f"refused with status {code}", refusals.status(code), BEFORE, takes=_RETRY_AFTER)
            for code in refusals.STATUSES
        ),
    )
}
