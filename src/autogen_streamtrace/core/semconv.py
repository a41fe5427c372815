"""Every public name: layers, outcomes, attributes, metrics, events, buckets.

Dashboards, alert rules and tests take their names from here. GenAI names follow
https://github.com/open-telemetry/semantic-conventions-genai.
"""

from typing import Final, Literal

SCOPE: Final = "autogen_streamtrace"

Layer = Literal["http", "model", "tool", "agent", "team", "stream", "server"]
HTTP: Final = "http"
MODEL: Final = "model"
TOOL: Final = "tool"
AGENT: Final = "agent"
TEAM: Final = "team"
STREAM: Final = "stream"
SERVER: Final = "server"
LAYERS: Final[tuple[Layer, ...]] = (HTTP, MODEL, TOOL, AGENT, TEAM, STREAM, SERVER)

Outcome = Literal[
    "completed",
    "length",
    "filtered",
    "truncated",
    "timeout",
    "disconnected",
    "rejected",
    "malformed",
    "cancelled",
    "abandoned",
    "never_started",
    "failed",
    "killed",
]
COMPLETED: Final = "completed"
LENGTH: Final = "length"
FILTERED: Final = "filtered"
TRUNCATED: Final = "truncated"
TIMEOUT: Final = "timeout"
DISCONNECTED: Final = "disconnected"
REJECTED: Final = "rejected"
MALFORMED: Final = "malformed"
CANCELLED: Final = "cancelled"
ABANDONED: Final = "abandoned"
NEVER_STARTED: Final = "never_started"
FAILED: Final = "failed"
KILLED: Final = "killed"
OUTCOMES: Final[tuple[Outcome, ...]] = (
    COMPLETED,
    LENGTH,
    FILTERED,
    TRUNCATED,
    TIMEOUT,
    DISCONNECTED,
    REJECTED,
    MALFORMED,
    CANCELLED,
    ABANDONED,
    NEVER_STARTED,
    FAILED,
    KILLED,
)

EndedBy = Literal["model", "upstream", "http_client", "tool", "agent", "caller", "end_user", "process"]
UPSTREAM: Final = "upstream"
HTTP_CLIENT: Final = "http_client"
CALLER: Final = "caller"
END_USER: Final = "end_user"
PROCESS: Final = "process"

WaitingOn = Literal["http", "model", "tool", "agent", "caller", "none"]
NONE: Final = "none"

CancelledBy = Literal["token", "deadline", "disconnect", "shutdown", "inside", "task"]
BY_TOKEN: Final = "token"
BY_DEADLINE: Final = "deadline"
BY_DISCONNECT: Final = "disconnect"
BY_SHUTDOWN: Final = "shutdown"
BY_INSIDE: Final = "inside"
"""A library cancelled a task of its own."""
BY_TASK: Final = "task"

LimitSource = Literal["configured", "suspected"]
CONFIGURED: Final = "configured"
SUSPECTED: Final = "suspected"

OTHER: Final = "_OTHER"
"""What a capped label reads once its list is full."""

# Attributes of every stream span; metrics and events use the same keys.
A_LAYER: Final = "streamtrace.layer"
A_NAME: Final = "streamtrace.name"
A_FRAMEWORK: Final = "streamtrace.framework"
"""The framework whose agent, team, tool or client it is, or in whose turn it happens."""
A_OUTCOME: Final = "streamtrace.outcome"
A_ENDED_BY: Final = "streamtrace.ended_by"
A_WAITING_ON_TYPE: Final = "streamtrace.waiting_on.type"
A_WAITING_ON_NAME: Final = "streamtrace.waiting_on.name"
A_EARLY: Final = "streamtrace.early"
A_FAULT: Final = "streamtrace.fault"
A_ORIGIN: Final = "streamtrace.origin"
A_OUTERMOST: Final = "streamtrace.outermost"
A_CHUNKS: Final = "streamtrace.chunks"
A_BYTES: Final = "streamtrace.bytes"
A_CHARACTERS: Final = "streamtrace.characters"
A_SILENCE: Final = "streamtrace.silence"
A_LONGEST_GAP: Final = "streamtrace.longest_gap"
A_FIRST_CHUNK: Final = "streamtrace.time_to_first_chunk"
A_CALLER_TIME: Final = "streamtrace.caller_time"
A_LONGEST_SEND: Final = "streamtrace.longest_send"
A_TERMINATOR: Final = "streamtrace.terminator"
A_CAUSE_TYPE: Final = "streamtrace.cause.type"
A_CAUSE_CHAIN: Final = "streamtrace.cause.chain"
A_CAUSE_LAYER: Final = "streamtrace.cause.layer"
A_CANCELLED_BY: Final = "streamtrace.cancelled_by"
A_LIMIT_ID: Final = "streamtrace.limit.id"
A_LIMIT_VALUE: Final = "streamtrace.limit.value"
A_LIMIT_SOURCE: Final = "streamtrace.limit.source"
A_OVERRUN: Final = "streamtrace.upstream_overrun"
A_STALLS: Final = "streamtrace.stall.count"
A_LOOP_BLOCKED: Final = "streamtrace.stall.loop_blocked"
A_LAST_SEEN: Final = "streamtrace.last_seen"
A_LOOP_LATE: Final = "streamtrace.loop_late"
A_INTERMEDIARY: Final = "streamtrace.intermediary"
A_INTERMEDIARIES: Final = "streamtrace.intermediaries"
A_UPSTREAM_SERVER: Final = "streamtrace.upstream_server"
A_EXPECTED_TIMEOUT: Final = "streamtrace.expected_timeout"
A_DISCONNECT_GRACE: Final = "streamtrace.disconnect_grace"
A_CONNECTION_REUSED: Final = "streamtrace.connection.reused"
A_CONNECTION_AGE: Final = "streamtrace.connection.age"
A_CONNECTION_IDLE: Final = "streamtrace.connection.idle"
A_CONNECTION_REQUESTS: Final = "streamtrace.connection.requests"
A_CONNECTION_KEEP_ALIVE: Final = "streamtrace.connection.keep_alive"
A_CLOSE_TYPE: Final = "streamtrace.close.type"
A_CLOSE_WITHIN_EVENT: Final = "streamtrace.close.within_event"
A_TIME_TO_HEADERS: Final = "streamtrace.time_to_headers"
A_REFUSAL_PAGE: Final = "streamtrace.refusal.page"
A_REFUSAL_MISSING: Final = "streamtrace.refusal.missing"
A_SURVIVED_SILENCE: Final = "streamtrace.survived_silence"
A_ATTEMPTS: Final = "streamtrace.attempts"
A_ERROR_TYPE: Final = "error.type"
A_EXCEPTION_MESSAGE: Final = "exception.message"

# Semantic conventions.
GEN_AI_OPERATION: Final = "gen_ai.operation.name"
GEN_AI_PROVIDER: Final = "gen_ai.provider.name"
GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
GEN_AI_REQUEST_STREAM: Final = "gen_ai.request.stream"
GEN_AI_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
GEN_AI_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
GEN_AI_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
GEN_AI_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
GEN_AI_TOKEN_TYPE: Final = "gen_ai.token.type"
GEN_AI_AGENT_NAME: Final = "gen_ai.agent.name"
GEN_AI_AGENT_DESCRIPTION: Final = "gen_ai.agent.description"
GEN_AI_TOOL_NAME: Final = "gen_ai.tool.name"
GEN_AI_TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
GEN_AI_WORKFLOW_NAME: Final = "gen_ai.workflow.name"
GEN_AI_CONVERSATION_ID: Final = "gen_ai.conversation.id"
GEN_AI_OUTPUT_TYPE: Final = "gen_ai.output.type"
GEN_AI_RESPONSE_ID: Final = "gen_ai.response.id"
GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
GEN_AI_TOOL_DESCRIPTION: Final = "gen_ai.tool.description"
GEN_AI_TOOL_TYPE: Final = "gen_ai.tool.type"
GEN_AI_REQUEST_PARAMETERS: Final = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "max_tokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "num_predict": "gen_ai.request.max_tokens",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
    "stop": "gen_ai.request.stop_sequences",
    "stop_sequences": "gen_ai.request.stop_sequences",
}
"""By the names that the providers give them."""

# Contents, only where they are asked for.
GEN_AI_SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
GEN_AI_INPUT_MESSAGES: Final = "gen_ai.input.messages"
GEN_AI_OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
GEN_AI_TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
GEN_AI_TOOL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
GEN_AI_TOOL_RESULT: Final = "gen_ai.tool.call.result"
SERVER_ADDRESS: Final = "server.address"
SERVER_PORT: Final = "server.port"
NETWORK_PROTOCOL_VERSION: Final = "network.protocol.version"
NETWORK_LOCAL_PORT: Final = "network.local.port"
HTTP_METHOD: Final = "http.request.method"
HTTP_STATUS: Final = "http.response.status_code"
HTTP_ROUTE: Final = "http.route"

STACK_TRACE: Final = "code.stacktrace"

HTTP_RESPONSE_HEADER: Final = "http.response.header."

# Events.
E_START: Final = "streamtrace.start"
E_STALL: Final = "streamtrace.stall"
E_END: Final = "streamtrace.end"
E_INFERENCE: Final = "gen_ai.client.inference.operation.details"
"""With contents, where they are asked for on events."""

# Metrics.
M_STARTED: Final = "streamtrace.started"
M_ENDED: Final = "streamtrace.ended"
M_CUT: Final = "streamtrace.cut"
M_OPEN: Final = "streamtrace.open"
M_STALLED: Final = "streamtrace.stalled"
M_OLDEST: Final = "streamtrace.oldest"
M_DURATION: Final = "streamtrace.duration"
M_SILENCE: Final = "streamtrace.silence"
M_LONGEST_GAP: Final = "streamtrace.longest_gap"
M_FIRST_CHUNK: Final = "streamtrace.time_to_first_chunk"
M_CALLER_TIME: Final = "streamtrace.caller_time"
M_GEN_AI_DURATION: Final = "gen_ai.client.operation.duration"
M_GEN_AI_FIRST_CHUNK: Final = "gen_ai.client.operation.time_to_first_chunk"
M_GEN_AI_PER_CHUNK: Final = "gen_ai.client.operation.time_per_output_chunk"
M_GEN_AI_TOKENS: Final = "gen_ai.client.token.usage"
M_GEN_AI_TOOL: Final = "gen_ai.execute_tool.duration"
M_GEN_AI_AGENT: Final = "gen_ai.invoke_agent.duration"
M_GEN_AI_WORKFLOW: Final = "gen_ai.invoke_workflow.duration"
M_DROPPED: Final = "streamtrace.instrument.records.dropped"
M_RECOVERED: Final = "streamtrace.instrument.streams.recovered"
M_RECORDER: Final = "streamtrace.instrument.recorder.state"
M_CAPPED: Final = "streamtrace.instrument.names.capped"
M_QUEUE: Final = "streamtrace.instrument.queue.size"
M_EXPORT_FAILURES: Final = "streamtrace.instrument.export.failures"
M_ERRORS: Final = "streamtrace.instrument.errors"
M_UNKNOWN_FINISH: Final = "streamtrace.instrument.finish_reasons.unknown"

# Histogram edges, in seconds.
DURATION_EDGES: Final = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0)
SILENCE_EDGES: Final = (
    0.5,
    1.0,
    4.5,
    5.5,
    9.5,
    10.5,
    14.5,
    15.5,
    28.0,
    29.5,
    31.0,
    54.0,
    56.0,
    58.5,
    61.5,
    97.0,
    103.0,
    118.0,
    122.0,
    225.0,
    235.0,
    295.0,
    305.0,
    590.0,
    610.0,
    890.0,
    910.0,
)
"""Each common limit (5, 10, 15, 29, 30, 55, 60, 100, 120, 230, 300, 600, 900 s) has a narrow bucket of its own."""
GAP_EDGES: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
GEN_AI_CLIENT_EDGES: Final = tuple(0.01 * 2**n for n in range(14))
GEN_AI_AGENT_EDGES: Final = tuple(0.1 * 2**n for n in range(13))
GEN_AI_WORKFLOW_EDGES: Final = (1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0)
GEN_AI_TOKEN_EDGES: Final = tuple(float(4**n) for n in range(14))
