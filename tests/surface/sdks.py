"""The SDKs' surface: each endpoint at which an installed SDK streams, as its source tells, and what is known of it."""

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from autogen_streamtrace.neighbours.sdks import TESTED

GENERATED: Final = ("openai", "anthropic", "groq")
"""Those that Stainless generates. They stream where a call has a ``stream_cls``."""

MODEL: Final = "a `model` layer"
INTERACTION: Final = "its HTTP exchange is watched, and says how the interaction ended"
SESSION: Final = "not a model's reply: an agent's session, which has no end of its own; its HTTP exchange is watched"

TABLE: Final[dict[str, dict[str, str]]] = {
    "openai": {
        "/agents/sessions": SESSION,
        "/agents/sessions/{session_id}/events": SESSION,
        "/audio/transcriptions": MODEL,
        "/chat/completions": MODEL,
        "/completions": MODEL,
        "/images/edits": MODEL,
        "/images/generations": MODEL,
        "/responses": MODEL,
        "/responses/{response_id}": MODEL,
        "/threads/runs": MODEL,
        "/threads/{thread_id}/runs": MODEL,
        "/threads/{thread_id}/runs/{run_id}/submit_tool_outputs": MODEL,
    },
    "anthropic": {
        "/v1/complete": MODEL,
        "/v1/messages": MODEL,
        "/v1/sessions/{session_id}/events/stream": SESSION,
        "/v1/sessions/{session_id}/threads/{thread_id}/stream": SESSION,
    },
    "groq": {"/openai/v1/chat/completions": MODEL},
    "ollama": {
        "/api/chat": MODEL,
        "/api/generate": MODEL,
        "/api/create": "not a model's reply: progress",
        "/api/pull": "not a model's reply: progress",
        "/api/push": "not a model's reply: progress",
    },
    "google-genai": {"models.generate_content_stream": MODEL, "interactions.create": INTERACTION},
}
"""By SDK and endpoint. What an installed SDK does not have is of another version of it."""


def streamed(package: str) -> set[str]:
    """The endpoints at which an installed SDK streams."""
    return {path for tree in _trees(package) for path in _paths(tree)}


def streaming_modules() -> set[str]:
    """The modules of an installed ``google-genai`` that ask for a stream over HTTP."""
    asks = ("api_client.request_streamed(", 'accept_header_value="text/event-stream"')
    files = [file for file in _files("google.genai") if not file.name.startswith(("_test", "test_"))]
    return {file.stem for file in files if any(each in file.read_text(encoding="utf-8") for each in asks)}


def _files(package: str) -> list[Path]:
    spec = importlib.util.find_spec(package)
    return sorted(Path(spec.origin).parent.rglob("*.py")) if spec is not None and spec.origin is not None else []


def _trees(package: str) -> Iterator[ast.AST]:
    for file in _files(package):
        text = file.read_text(encoding="utf-8")
        if "stream_cls=" in text or "stream=stream" in text:
            yield ast.parse(text)


def _paths(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and any(key.arg in ("stream_cls", "stream") for key in node.keywords):
            yield from (path for path in map(_path, node.args) if path)


def _path(argument: ast.expr) -> str:
    """An argument that is a path: a text, a template, or a text with names in it."""
    if isinstance(argument, ast.Call) and argument.args:
        return _path(argument.args[0])
    if isinstance(argument, ast.JoinedStr):
        return _plain("".join(map(_piece, argument.values)))
    found = argument.value if isinstance(argument, ast.Constant) else ""
    return _plain(found) if isinstance(found, str) and found.startswith("/") else ""


def _piece(part: ast.expr) -> str:
    return str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part)}}}"


def _plain(path: str) -> str:
    return path.partition("?")[0]


def lines() -> Iterator[str]:
    """The section on the SDKs."""
    yield "## The SDKs\n"
    yield "Without a framework around it, what an SDK streams is a `model` layer. Under AutoGen or Agent Framework,"
    yield "theirs is the only one. `tests/sdks/test_sdk_coverage.py` finds every endpoint at which an installed SDK"
    yield "streams, and fails where one is missing here.\n"
    yield "A framework that asks through one of them needs nothing more: each of its requests is one `model` layer,"
    yield "with the ending of its reply. So it was in streamed runs that completed, met the token limit, were cut"
    yield "silently, reset, stalled, refused, or told of an error: `openai-agents` 0.24 with chat completions and"
    yield "responses, `pydantic-ai` 2.68 with both and with Anthropic, LangGraph 1.2 with `langchain-openai` 1.7. Their"
    yield "agents and tools are no layers; `trace_stream` makes one of a stream of theirs.\n"
    yield "`google-genai` asks over `aiohttp` where that is installed: there its `model` layer has no `http` layer"
    yield "below, and the end is read from the items alone.\n"
    yield "| SDK | versions that were tested |\n|---|---|"
    yield from (f"| `{package}` | {first} and later, before {before} |" for package, (first, before) in TESTED.items())
    yield ""
    yield "| SDK | endpoint | |\n|---|---|---|"
    for package, rows in TABLE.items():
        yield from (f"| `{package}` | `{path}` | {what} |" for path, what in rows.items())
    yield ""
