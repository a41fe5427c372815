"""Layer ``model``: what ``google-genai`` asks Gemini."""

from types import ModuleType
from typing import Any, Final

from autogen_streamtrace.core.evidence.body.provider_replies import blocked
from autogen_streamtrace.core.patcher import Patcher
from autogen_streamtrace.core.stream.models import model_info, parameters
from autogen_streamtrace.core.stream.state import StreamInfo
from autogen_streamtrace.core.tap import Reader
from autogen_streamtrace.core.tracker import StreamTracker
from autogen_streamtrace.flow.sdks import calls
from autogen_streamtrace.neighbours import Private, check_version, sdks


def apply(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """Watches what ``google.genai.models`` asks as a stream; an automatic function call asks several times."""
    check_version("google-genai", *sdks.TESTED["google-genai"])
    _patch(module, patcher, tracker, sdks.GENAI_STREAM, streamed=True)


def apply_unstreamed(module: ModuleType, patcher: Patcher, tracker: StreamTracker) -> None:
    """The same of what is not asked as a stream."""
    _patch(module, patcher, tracker, sdks.GENAI_REPLY, streamed=False)


def _patch(module: ModuleType, patcher: Patcher, tracker: StreamTracker, private: Private, *, streamed: bool) -> None:
    for owner in (module.AsyncModels, module.Models):
        private.need(owner)
        patcher.attribute(owner, private.attribute, calls.watched(tracker, _describe(streamed), _READER))


def _describe(streamed: bool) -> calls.Describe:
    def describe(models: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> StreamInfo | None:
        config = kwargs.get("config")
        options = config if isinstance(config, dict) else getattr(config, "__dict__", None)
        vertex = getattr(getattr(models, "_api_client", None), "vertexai", False)
        return model_info(
            str(kwargs.get("model", "")).rpartition("/")[2] or "gemini",
            "gcp.vertex_ai" if vertex else "gcp.gemini",
            streamed=streamed,
            operation="generate_content",
            asked=parameters(options),
            subject=models,
        )

    return describe


def _text(item: Any) -> str:
    content = item.candidates[0].content if item.candidates else None
    return "".join(part.text for part in (content.parts or ()) if part.text) if content is not None else ""


def _ends(item: Any) -> str:
    if item.candidates:
        return _word(item.candidates[0].finish_reason)
    return blocked(_word(item.prompt_feedback.block_reason)) if item.prompt_feedback else ""


def _word(reason: Any) -> str:
    word = str(getattr(reason, "value", reason) or "")
    return "" if word.endswith("_UNSPECIFIED") else word  # that stands for none


_READER: Final = Reader(_text, _ends, lambda item: bool(item.candidates and item.candidates[0].content), _text)
