"""A workbench of the user's own."""

from collections.abc import Mapping
from typing import Any

from autogen_core import CancellationToken
from autogen_core.tools import TextResultContent, ToolResult, ToolSchema, Workbench
from harness import Program, watch


class Drawer(Workbench):
    """Keeps its tools by name, under the attribute in which AutoGen's own workbench has a list."""

    component_type = "workbench"

    def __init__(self) -> None:
        self._tools = {"fetch": "fetched"}

    async def list_tools(self) -> list[ToolSchema]:
        return [ToolSchema(name=name) for name in self._tools]

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
        call_id: str | None = None,
    ) -> ToolResult:
        return ToolResult(name=name, result=[TextResultContent(content=self._tools[name])])

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def reset(self) -> None: ...

    async def save_state(self) -> Mapping[str, Any]:
        return {}

    async def load_state(self, state: Mapping[str, Any]) -> None: ...


def test_its_calls_are_watched_whatever_it_keeps_its_tools_in() -> None:
    async def body(program: Program) -> None:
        result = await Drawer().call_tool("fetch")
        assert result.to_text() == "fetched"

    called = watch(body).one("tool")
    assert (called.name, called["outcome"]) == ("fetch", "completed")
