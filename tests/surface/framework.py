"""Agent Framework's surface: each of its agent, client, tool and workflow classes, and what is known of it.

Needs none of its packages: the classes are found where they are installed, and compared with this table.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Kind:
    """Classes that are watched at the same place."""

    title: str
    patched: str
    roots: tuple[str, ...]
    """The classes, and those that descend from them."""
    methods: tuple[str, ...]
    """The methods that are replaced, where a class defines one."""


KINDS: Final = {
    "agent": Kind("Agents", "`run` of `agent_framework.BaseAgent`", ("BaseAgent",), ("run",)),
    "client": Kind(
        "Chat clients",
        "`get_response` of `agent_framework.observability.ChatTelemetryLayer` and `agent_framework.BaseChatClient`",
        ("BaseChatClient",),
        (),
    ),
    "tool": Kind(
        "Tools",
        "`invoke` of `agent_framework.FunctionTool`; `execute` of `FunctionMiddlewarePipeline`, for calls that fail "
        "outside of their tool; `_auto_invoke_function`, for unknown names",
        ("FunctionTool", "MCPTool"),
        ("invoke",),
    ),
    "workflow": Kind(
        "Workflows",
        "`run` of `agent_framework.Workflow` and `agent_framework.FunctionalWorkflow`",
        ("Workflow", "FunctionalWorkflow"),
        ("run",),
    ),
}
PACKAGES: Final = ("agent_framework", "agent_framework_openai")
"""Those that install beside AutoGen. The rest is found where it is installed, too."""

HTTP: Final = "http 127.0.0.1"
REPLY: Final = f"model gpt-4o, {HTTP}"
RESPONSES: Final = f"model gpt-4o, {HTTP}"
TURN: Final = f"agent clerk, {REPLY}"
MCP: Final = "not run here: needs `mcp` 2, which AutoGen's does not install beside; its tools are `FunctionTool`s"
BASE: Final = "not run: a base; its subclasses are run"

TABLE: Final[dict[str, dict[str, str]]] = {
    "agent": {
        "Agent": TURN,
        "BaseAgent": BASE,
        "FunctionalWorkflowAgent": f"agent function, team function, {TURN}",
        "RawAgent": TURN,
        "WorkflowAgent": f"agent office, team office, {TURN}",
    },
    "client": {
        "BaseChatClient": BASE,
        "OpenAIChatClient": RESPONSES,
        "OpenAIChatCompletionClient": REPLY,
        "RawOpenAIChatClient": RESPONSES,
        "RawOpenAIChatCompletionClient": REPLY,
    },
    "tool": {
        "FunctionTool": "tool fetch_claim",
        "MCPStdioTool": MCP,
        "MCPStreamableHTTPTool": MCP,
        "MCPTool": BASE,
        "MCPWebsocketTool": MCP,
    },
    "workflow": {"FunctionalWorkflow": f"team function, {TURN}", "Workflow": f"team office, {TURN}"},
}
"""The streams of each class's program, or why there is none."""


def lines() -> Iterator[str]:
    """What ``docs/coverage.md`` says of it."""
    yield "## Agent Framework\n"
    yield (
        "Agent Framework 1.22 and later: here `agent-framework-core` and `agent-framework-openai`. A class of any other"
        " of its packages that is installed, and that is watched at none of these places, fails the test, too. Programs"
        " that need other packages or `mcp` 2 run in the session `agent_framework` of nox.\n"
    )
    for name, kind in KINDS.items():
        yield f"### {kind.title} of Agent Framework\n\nPatched: {kind.patched}.\n"
        yield "| class | streams of its program |\n|---|---|"
        yield from (f"| `{cls}` | {_streams(row)} |" for cls, row in TABLE[name].items())
        yield ""


def _streams(row: str) -> str:
    return row if row.startswith("not run") else ", ".join(f"`{stream}`" for stream in row.split(", "))
