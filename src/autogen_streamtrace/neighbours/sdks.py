"""Private names of the models' SDKs."""

from typing import Final

from autogen_streamtrace.neighbours import Private

TESTED: Final = {
    "openai": ("1.93", "4"),
    "anthropic": ("0.50", "3"),
    "groq": ("0.9", "2"),
    "ollama": ("0.4", "1"),
    "google-genai": ("1.10", "4"),
}
"""By distribution: the first version that was tested, and the first one after those."""

REQUEST: Final = "request"
"""The method of a generated SDK's client through which each request goes."""


def asynchronous(package: str) -> Private:
    """``REQUEST`` of the asynchronous client of a generated SDK."""
    return Private(package, "AsyncClient", REQUEST, "what it asks asynchronously is watched as HTTP exchanges alone")


def synchronous(package: str) -> Private:
    """``REQUEST`` of the synchronous client of a generated SDK."""
    return Private(package, "Client", REQUEST, "what it asks synchronously is watched as HTTP exchanges alone")


def parsed(package: str) -> Private:
    """The constructor of a generated SDK's streams."""
    return Private(
        package, "Stream", "__init__", "the items of a stream that is parsed from a raw response are not read"
    )


RESPONSE: Final = Private(
    "openai",
    "AsyncStream",
    "response",
    "a stream that is parsed from a raw response ends as its HTTP exchange does",
    ("Stream",),
    ("anthropic", "groq"),
)
ITERATOR: Final = Private(
    "openai",
    "AsyncStream",
    "_iterator",
    "the items of a stream are not read: its end is that of its HTTP exchange",
    ("Stream",),
    ("anthropic", "groq"),
)
OLLAMA_REQUEST: Final = Private(
    "ollama", "Client", "_request", "what it asks is watched as HTTP exchanges alone", ("AsyncClient",)
)
GENAI_REPLY: Final = Private(
    "google-genai", "Models", "_generate_content", "its replies are watched as HTTP exchanges alone", ("AsyncModels",)
)
GENAI_STREAM: Final = Private(
    "google-genai",
    "Models",
    "_generate_content_stream",
    "its replies are watched as HTTP exchanges alone",
    ("AsyncModels",),
)
