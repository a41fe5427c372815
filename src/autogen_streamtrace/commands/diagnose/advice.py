"""What to change where no cause is recognised: one ordered table of endings, the first row that fits decides."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from autogen_streamtrace.commands.diagnose.scene import Kind
from autogen_streamtrace.core import semconv as sc


class Advice(NamedTuple):
    """The fault of streams with this ending, and the fix."""

    when: Mapping[str, str | tuple[str, ...]]
    """Column by column: the value, or one of them; a value that ends in ``*`` is a beginning."""
    title: str
    fix: str
    kind: Kind = "other"

    def __hash__(self) -> int:
        return hash((self.title, self.fix))


ADVICE: Final = (
    Advice(
        {"outcome": sc.TRUNCATED},
        "The reply ends in mid-sentence, cleanly: nothing ever said that it was finished",
        "Whatever stands before {host} closes the stream properly and too early: compare with `autogen-streamtrace "
        "probe URL --via URL`, and treat the reply as unfinished.",
    ),
    Advice(
        {"outcome": sc.TIMEOUT, "cause": "*ConnectTimeout"},
        "{host} does not accept connections in time",
        "See whether {host} can be reached from there (DNS, firewall, its own load); a longer connect timeout only "
        "hides it.",
        "deadline",
    ),
    Advice(
        {"outcome": sc.TIMEOUT, "cause": "*PoolTimeout"},
        "Every connection of the HTTP client's pool is busy",
        "Raise httpx.Limits(max_connections=…), and close streams that nobody reads any more: an abandoned one keeps "
        "its connection.",
        "deadline",
    ),
    Advice(
        {"outcome": sc.TIMEOUT},
        "{host} falls silent for longer than the HTTP client waits",
        "Raise the client's read timeout above the longest pause of the model: OpenAIChatCompletionClient(timeout=…).",
        "deadline",
    ),
    Advice(
        {"outcome": sc.DISCONNECTED, "cause": "*ConnectError"},
        "No connection to {host} can be made",
        "See whether its name resolves and something listens there; the exception's chain names the system's own "
        "error.",
    ),
    Advice(
        {"outcome": sc.DISCONNECTED, "layer": sc.SERVER},
        "The connection to the end user is lost",
        "See what stands before this server, and send a comment line such as `: ping` every 15 s.",
        "reader",
    ),
    Advice(
        {"outcome": sc.DISCONNECTED},
        "{host} closes the connection in mid-stream, after no particular time",
        "Ask the operator of what stands on the way, with the times of the spans; retry where nothing was shown yet.",
    ),
    Advice(
        {"outcome": sc.REJECTED, "page": "?*"},
        "{page} answers for {host} with an error page of its own ({status})",
        "See in its error log why what stands behind it did not answer, or was not asked.",
    ),
    Advice(
        {"outcome": sc.REJECTED, "status": ("401", "403")},
        "{host} refuses the key ({status})",
        "Renew or correct the API key of this client.",
        "provider",
    ),
    Advice(
        {"outcome": sc.REJECTED, "status": "429"},
        "{host} limits the rate of requests (429)",
        "Spread the requests, raise the quota, or raise max_retries of the client, which waits as the reply asks it "
        "to.",
        "provider",
    ),
    Advice(
        {"outcome": sc.REJECTED, "status": ("502", "503", "504", "520", "522", "524", "408")},
        "{host}, or something before it, fails ({status})",
        "See in the logs of what stands on the way who answered so; a retry (max_retries of the client) helps where "
        "that is soon over.",
        "provider",
    ),
    Advice(
        {"outcome": sc.REJECTED, "status": ("500", "529")},
        "{host} fails ({status})",
        "Retry (max_retries of the client), and tell its operator the request ids of the spans where it sends any.",
        "provider",
    ),
    Advice(
        {"outcome": sc.REJECTED, "status": "4*"},
        "{host} refuses the request ({status})",
        "The request itself is wrong for this model: its parameters, its length, its tools.",
        "provider",
    ),
    Advice(
        {"outcome": sc.REJECTED, "layer": sc.HTTP},
        "{host} answers with an error status",
        "The spans and the log events have it: http.response.status_code.",
        "provider",
    ),
    Advice(
        {"outcome": sc.REJECTED, "cause": "?*"},
        "The provider reports an error inside the stream",
        "Treat an error event like an HTTP error: retry where nothing was shown yet; see the provider's status page.",
        "provider",
    ),
    Advice(
        {"outcome": sc.REJECTED},
        "The model's engine gives up: its finish reason means failure",
        "Look for the engine's own log (memory, preemption, aborted requests); gen_ai.response.finish_reasons has the "
        "word.",
        "provider",
    ),
    Advice(
        {"outcome": sc.MALFORMED},
        "An event of the stream cannot be parsed",
        "Something between rewrites or cuts the body: compare with `autogen-streamtrace probe URL --via URL`.",
    ),
    Advice(
        {"outcome": sc.CANCELLED, "cancelled_by": "disconnect"},
        "The end user's connection goes away",
        "Users leave, or something between closes: if it happens after one particular silence, send `: ping` more "
        "often than that.",
        "reader",
    ),
    Advice(
        {"outcome": sc.CANCELLED, "cancelled_by": sc.BY_TOKEN},
        "The program cancels its own CancellationToken",
        "Nothing, where that is a stop button; else look for who cancels it.",
        "reader",
    ),
    Advice(
        {"outcome": sc.CANCELLED, "cancelled_by": sc.BY_DEADLINE},
        "A deadline of the program's strikes",
        "Raise the deadline (asyncio.timeout, wait_for) above every timeout inside it: `autogen-streamtrace audit` "
        "lists them.",
        "deadline",
    ),
    Advice(
        {"outcome": sc.CANCELLED, "cancelled_by": "shutdown"},
        "The process shuts down with streams open",
        "Raise the server's graceful timeout (uvicorn --timeout-graceful-shutdown, gunicorn graceful_timeout) above "
        "the longest turn.",
    ),
    Advice(
        {"outcome": sc.CANCELLED},
        "The task that reads the stream is cancelled",
        "Look for who cancels it: a server whose client went away, a task group of which another task failed, "
        "wait_for around the loop.",
    ),
    Advice(
        {"outcome": sc.ABANDONED},
        "The reader stops reading",
        "Read run_stream() to its end, or close it (contextlib.aclosing): after a `break` the model goes on writing, "
        "and is paid for.",
        "reader",
    ),
    Advice(
        {"outcome": sc.NEVER_STARTED},
        "A stream is created and never read",
        "Iterate over what run_stream() returns; calling it alone does nothing.",
        "reader",
    ),
    Advice(
        {"outcome": sc.LENGTH},
        "The model stops at its token limit",
        "Raise max_tokens of the client, or ask for less in one reply.",
        "provider",
    ),
    Advice(
        {"outcome": sc.FILTERED},
        "The provider's filter stops the reply",
        "Say so to the user; the filter is configured at the provider.",
        "provider",
    ),
    Advice(
        {"outcome": sc.FAILED, "layer": sc.TOOL},
        "The tool {name} raises {cause}",
        "Catch it in the tool and return what the model can use, or mend the tool.",
    ),
    Advice(
        {"outcome": sc.FAILED, "ended_by": sc.CALLER},
        "The code that reads the stream throws {cause} into it",
        "Look at the code around the loop.",
    ),
    Advice(
        {"outcome": sc.FAILED},
        "The program's own code raises {cause} in {name}",
        "Look at the traceback in the program's log: streamtrace.cause.chain names every exception in it.",
    ),
    Advice(
        {"outcome": sc.KILLED},
        "The process dies with streams open",
        "Look for the kernel's out-of-memory killer, gunicorn's worker timeout, a deployment without a graceful "
        "period.",
    ),
    Advice({}, "Streams end as {outcome}", "Look at the spans named below."),
)


def advise(cause: Mapping[str, str]) -> tuple[Advice, str, str]:
    """The row that fits early endings of one sort, with its title and its fix in words.

    Args:
        cause: columns and their values as texts; absent ones are empty.
    """
    row = next(row for row in ADVICE if all(_fits(cause.get(key, ""), value) for key, value in row.when.items()))
    words = {key: value or _NAMELESS.get(key, "") for key, value in cause.items()}
    return row, row.title.format_map(_Words(words)), row.fix.format_map(_Words(words))


_NAMELESS: Final = {"host": "the model's server", "cause": "an exception", "name": "a stream", "status": "no status"}


class _Words(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return _NAMELESS.get(key, key)


def _fits(value: str, wanted: str | tuple[str, ...]) -> bool:
    if isinstance(wanted, tuple):
        return value in wanted
    if wanted == "?*":
        return bool(value)
    if wanted.startswith("*"):
        return value.endswith(wanted[1:])
    if wanted.endswith("*"):
        return value.startswith(wanted[:-1])
    return value == wanted
