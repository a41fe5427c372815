"""What is known of a tool call when it begins: its ``StreamInfo``."""

from collections.abc import Callable
from typing import Any, Final

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.stream.state import StreamInfo, weakly

NO_TOKEN: Final = weakly(None)


def tool_info(
    name: str,
    framework: str,
    call_id: str | None,
    description: str | None = None,
    token: Callable[[], Any] = NO_TOKEN,
) -> StreamInfo:
    """The ``info`` of a stream on the layer ``tool``.

    Args:
        name: the tool's name.
        framework: the framework whose tool it is.
        call_id: ``gen_ai.tool.call.id``, where it is known.
        description: ``gen_ai.tool.description``, where there is one.
        token: the ``CancellationToken``, by a weak reference.
    """
    attributes: tuple[tuple[str, Any], ...] = (
        (sc.GEN_AI_OPERATION, "execute_tool"),
        (sc.GEN_AI_TOOL_NAME, name),
        (sc.GEN_AI_TOOL_TYPE, "function"),
    )
    for key, value in ((sc.GEN_AI_TOOL_DESCRIPTION, description), (sc.GEN_AI_TOOL_CALL_ID, call_id)):
        if value:
            attributes += ((key, value),)
    return StreamInfo(
        sc.TOOL,
        name,
        token=token,
        span_name=f"execute_tool {name}",
        attributes=attributes,
        framework=framework,
    )
