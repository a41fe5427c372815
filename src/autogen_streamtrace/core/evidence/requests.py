"""The contents of a request to a model, as an SDK sends it: a body in the format of OpenAI, Anthropic or Ollama."""

import json
from collections.abc import Mapping
from typing import Any

from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.evidence.content import Content, Part


def content_of(body: Mapping[str, Any]) -> Content:
    """The contents of a request. What cannot be read is left out."""
    with contained("reading a request's contents"):
        messages = [each for each in _messages(body) if isinstance(each, Mapping)]
        above = [part for key in ("system", "instructions") for part in _parts(body.get(key))]
        return Content(
            system=above + [part for m in messages if m.get("role") in _ABOVE for part in _parts(m.get("content"))],
            input=[_message(m) for m in messages if m.get("role") not in _ABOVE],
            tools=[_tool(each) for each in _list(body.get("tools")) if isinstance(each, Mapping)],
        )
    return Content()


_ABOVE = ("system", "developer")


def _messages(body: Mapping[str, Any]) -> list[Any]:
    for key in ("messages", "input", "prompt"):
        found = body.get(key)
        if isinstance(found, str):
            return [{"role": "user", "content": found}]
        if isinstance(found, list):
            return found
    return []


def _message(said: Mapping[str, Any]) -> Part:
    parts = _parts(said.get("content")) + _part(said)
    for call in _list(said.get("tool_calls")):
        function = call.get("function", {})
        parts.append(
            {
                "type": "tool_call",
                "id": call.get("id"),
                "name": function.get("name"),
                "arguments": function.get("arguments"),
            }
        )
    if said.get("role") == "tool":
        parts = [{"type": "tool_call_response", "id": said.get("tool_call_id"), "response": said.get("content")}]
    return {"role": str(said.get("role") or "user"), "parts": parts}


def _parts(content: Any) -> list[Part]:
    if isinstance(content, str):
        return [{"type": "text", "content": content}] if content else []
    return [part for piece in _list(content) if isinstance(piece, Mapping) for part in _part(piece)]


def _part(piece: Mapping[str, Any]) -> list[Part]:
    kind = piece.get("type")
    if isinstance(piece.get("text"), str):
        return [{"type": "text", "content": piece["text"]}]
    if kind == "tool_use":
        arguments = json.dumps(piece.get("input"), ensure_ascii=False, default=str)
        return [{"type": "tool_call", "id": piece.get("id"), "name": piece.get("name"), "arguments": arguments}]
    if kind == "function_call":
        keys = ("name", "arguments")
        return [{"type": "tool_call", "id": piece.get("call_id"), **{key: piece.get(key) for key in keys}}]
    if kind == "tool_result":
        return [{"type": "tool_call_response", "id": piece.get("tool_use_id"), "response": piece.get("content")}]
    if kind == "function_call_output":
        return [{"type": "tool_call_response", "id": piece.get("call_id"), "response": piece.get("output")}]
    if isinstance(kind, str) and "image" in kind:
        return [{"type": "blob", "modality": "image"}]
    return []


def _tool(tool: Mapping[str, Any]) -> Part:
    schema = tool.get("function") if isinstance(tool.get("function"), Mapping) else tool
    assert isinstance(schema, Mapping)
    found = {key: schema[key] for key in ("name", "description", "parameters") if key in schema}
    if "input_schema" in schema:
        found["parameters"] = schema["input_schema"]
    return {"type": "function", **found}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
