"""The contents of Agent Framework's messages, where contents are recorded."""

from collections.abc import Mapping, Sequence
from typing import Any

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.evidence.content import Content, Part


class Messages(Content):
    """A request's messages, and the reply's: the pieces of a stream, or a response."""

    __slots__ = ()

    def add(self, item: Any) -> None:
        """Adds the text of an update, or of the contents of a workflow's output."""
        with contained("reading an item"):
            for piece in getattr(item, "contents", None) or ():
                if piece.type == "text" and piece.text and self._left > 0:
                    self._pieces.append(piece.text[: self._left])
                    self._left -= len(self._pieces[-1])

    def attributes(self, layer: sc.Layer, finish: str) -> dict[str, Any]:
        """The contents by attribute name. A response's messages are read here, and not while the program waits."""
        response, self.result = self.result, None
        found = super().attributes(layer, finish)
        messages = getattr(response, "messages", None)
        if messages:
            found[sc.GEN_AI_OUTPUT_MESSAGES] = [_message(each) for each in messages]
        return found


class Result(Content):
    """A call's arguments and its result."""

    __slots__ = ()

    def attributes(self, layer: sc.Layer, finish: str) -> dict[str, Any]:
        """The contents by attribute name; a result is the parts that the model gets."""
        result = self.result
        if isinstance(result, list):
            self.result = "\n".join(str(getattr(piece, "text", None) or piece) for piece in result)
        return super().attributes(layer, finish)


def of_request(messages: Any, kwargs: Mapping[str, Any]) -> Messages:
    """The contents of a model's request."""
    options = kwargs.get("options") or {}
    instructions = options.get("instructions")
    return Messages(
        system=[{"type": "text", "content": instructions}] if isinstance(instructions, str) else None,
        input=_input(messages),
        tools=[_tool(tool) for tool in options.get("tools") or () if hasattr(tool, "parameters")],
    )


def of_input(said: Any) -> Messages:
    """The contents of what an agent or a workflow is given: a text, a message, or several."""
    return Messages(input=_input(said))


def arguments(kwargs: Mapping[str, Any]) -> Any:
    """The arguments of a tool call."""
    given = kwargs.get("arguments")
    if given is None:
        given = getattr(kwargs.get("context"), "arguments", None)
    dump = getattr(given, "model_dump", None)
    return dump() if callable(dump) else given


def _input(said: Any) -> list[Part]:
    several = said if isinstance(said, Sequence) and not isinstance(said, str) else () if said is None else (said,)
    found: list[Part] = []
    for each in several:
        with contained("reading a content"):
            found.append(_message(each))
    return found


def _message(said: Any) -> Part:
    if not hasattr(said, "contents"):
        return {"role": "user", "parts": [{"type": "text", "content": str(getattr(said, "text", None) or said)}]}
    named = {"name": said.author_name} if getattr(said, "author_name", None) else {}
    return {"role": str(said.role), **named, "parts": [_part(piece) for piece in said.contents]}


def _part(piece: Any) -> Part:
    match piece.type:
        case "text":
            return {"type": "text", "content": piece.text}
        case "text_reasoning":
            return {"type": "reasoning", "content": piece.text}
        case "function_call":
            return {"type": "tool_call", "id": piece.call_id, "name": piece.name, "arguments": piece.arguments}
        case "function_result":
            return {"type": "tool_call_response", "id": piece.call_id, "response": piece.result}
        case "data" | "uri":
            return {"type": "blob", "modality": str(piece.media_type or "").partition("/")[0]}
        case kind:
            return {"type": str(kind)}


def _tool(tool: Any) -> Part:
    schema = tool.parameters
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": schema() if callable(schema) else schema,
    }
