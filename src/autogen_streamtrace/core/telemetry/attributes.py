"""The attributes of a stream's span."""

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.errors import contained
from autogen_streamtrace.core.evidence.http.connections import Use
from autogen_streamtrace.core.evidence.http.exchange import Exchange
from autogen_streamtrace.core.stream.state import StreamState
from autogen_streamtrace.core.telemetry.limiters import Attributes
from autogen_streamtrace.core.verdict.node import StreamNode
from autogen_streamtrace.core.verdict.rules import Verdict


def of_judged(node: StreamNode) -> Attributes:
    """All attributes of a finished stream but ``error.type``."""
    assert node.verdict is not None
    attributes = of_verdict(node.verdict)
    _add_node(attributes, node)
    _add_state(attributes, node.state)
    return attributes


def of_verdict(verdict: Verdict) -> Attributes:
    """How it ended."""
    attributes: Attributes = {
        sc.A_OUTCOME: verdict.outcome,
        sc.A_ENDED_BY: verdict.ended_by,
        sc.A_WAITING_ON_TYPE: verdict.waiting_on,
        sc.A_EARLY: verdict.early,
        sc.A_FAULT: verdict.fault,
        sc.A_ORIGIN: verdict.origin,
    }
    if verdict.waiting_on_name:
        attributes[sc.A_WAITING_ON_NAME] = verdict.waiting_on_name
    if verdict.cause_type:
        attributes[sc.A_CAUSE_TYPE] = verdict.cause_type
        attributes[sc.A_CAUSE_CHAIN] = verdict.cause_chain
        attributes[sc.A_CAUSE_LAYER] = verdict.cause_layer
    if verdict.cancelled_by is not None:
        attributes[sc.A_CANCELLED_BY] = verdict.cancelled_by
    if verdict.intermediary:
        attributes[sc.A_INTERMEDIARY] = verdict.intermediary
    if verdict.limit is not None:
        attributes[sc.A_LIMIT_ID] = verdict.limit.id
        attributes[sc.A_LIMIT_SOURCE] = verdict.limit.source
        if verdict.limit.value is not None:
            attributes[sc.A_LIMIT_VALUE] = verdict.limit.value
    return attributes


def _add_node(attributes: Attributes, node: StreamNode) -> None:
    state = node.state
    assert node.finished_at is not None
    attributes[sc.A_OUTERMOST] = node.outermost
    attributes[sc.A_SILENCE] = max(0.0, node.ended_at - state.last)
    attributes[sc.A_STALLS] = node.stalls
    if node.loop_late:
        attributes[sc.A_LOOP_LATE] = node.loop_late
    if node.stalls:
        attributes[sc.A_LOOP_BLOCKED] = node.loop_blocked
    if node.finished_at > node.verdict_at:
        attributes[sc.A_OVERRUN] = node.finished_at - node.verdict_at
    if state.layer == sc.MODEL:
        attributes[sc.A_ATTEMPTS] = node.attempts
        began = state.chunks > 0 or (state.status is not None and state.status < 400)
        attributes |= {key: value for key, value in node.exchange if key in (sc.SERVER_ADDRESS, sc.SERVER_PORT)}
        reason = node.finish or ("error" if began and node.verdict is not None and node.verdict.early else None)
        if reason is not None:
            attributes[sc.GEN_AI_FINISH_REASONS] = (reason,)


def contents(node: StreamNode) -> Attributes:
    """The contents of the request and of the reply, where they are recorded and can be read."""
    state, verdict = node.state, node.verdict
    assert verdict is not None
    found: Attributes = {}
    if state.content is not None:
        finish = node.finish or ("error" if verdict.early else "") if state.layer == sc.MODEL else ""
        with contained("reading contents"):
            found = state.content.attributes(state.layer, finish)
    return found


def _add_state(attributes: Attributes, state: StreamState) -> None:
    attributes[sc.A_CHUNKS] = state.chunks
    attributes[sc.A_LONGEST_GAP] = state.longest_gap
    attributes[sc.A_CALLER_TIME] = state.caller_time
    if state.chunks:
        attributes[sc.A_FIRST_CHUNK] = state.first - state.start
    if state.exchange is not None:
        _add_exchange(attributes, state, state.exchange)
    if state.layer == sc.SERVER:
        attributes[sc.A_BYTES] = state.size
        attributes[sc.A_LONGEST_SEND] = state.longest_send
        if state.status is not None:
            attributes[sc.HTTP_STATUS] = state.status
    if state.layer == sc.HTTP:
        attributes[sc.A_BYTES] = state.size
        if state.document and state.content_type:
            attributes[sc.HTTP_RESPONSE_HEADER + "content-type"] = (state.content_type,)
        if state.status is not None:
            attributes[sc.HTTP_STATUS] = state.status
    if state.layer == sc.MODEL:
        attributes[sc.A_CHARACTERS] = state.size
        if state.chunks and state.info.streamed:
            attributes[sc.GEN_AI_FIRST_CHUNK] = state.first - state.start
        for key, value in (
            (sc.GEN_AI_INPUT_TOKENS, state.input_tokens),
            (sc.GEN_AI_OUTPUT_TOKENS, state.output_tokens),
            (sc.GEN_AI_RESPONSE_ID, state.response_id),
            (sc.GEN_AI_RESPONSE_MODEL, state.response_model),
        ):
            if value is not None:
                attributes[key] = value
    if state.layer in (sc.HTTP, sc.MODEL):
        attributes[sc.A_TERMINATOR] = state.terminated


def _add_exchange(attributes: Attributes, state: StreamState, exchange: Exchange) -> None:
    """What is known of an HTTP exchange beside its body."""
    answer, named = exchange.answer, exchange.intermediaries
    if named:
        attributes[sc.A_INTERMEDIARY] = named[0]
        attributes[sc.A_INTERMEDIARIES] = named
    if state.layer == sc.SERVER:
        if answer.expected_timeout is not None:
            attributes[sc.A_EXPECTED_TIMEOUT] = answer.expected_timeout
        return
    for name, request_id in answer.request_ids:
        attributes[sc.HTTP_RESPONSE_HEADER + name] = (request_id,)
    for key, found in (
        (sc.A_UPSTREAM_SERVER, answer.upstream_server or None),
        (sc.A_CONNECTION_KEEP_ALIVE, answer.keep_alive),
        (sc.A_TIME_TO_HEADERS, None if exchange.headers_at is None else exchange.headers_at - state.start),
        (sc.NETWORK_PROTOCOL_VERSION, exchange.version or None),
        (sc.A_CLOSE_TYPE, exchange.close),
        (sc.A_CLOSE_WITHIN_EVENT, exchange.within_event),
        (sc.A_REFUSAL_PAGE, exchange.page or None),
        (sc.A_REFUSAL_MISSING, exchange.missing or None),
        (sc.A_SURVIVED_SILENCE, exchange.survived),
    ):
        if found is not None:
            attributes[key] = found
    if exchange.use is not None:
        _add_connection(attributes, exchange.use)


def _add_connection(attributes: Attributes, use: Use) -> None:
    attributes[sc.A_CONNECTION_REUSED] = use.reused
    attributes[sc.A_CONNECTION_REQUESTS] = use.requests
    for key, value in (
        (sc.A_CONNECTION_AGE, use.age),
        (sc.A_CONNECTION_IDLE, use.idle),
        (sc.NETWORK_LOCAL_PORT, use.connection.local_port),
    ):
        if value is not None:
            attributes[key] = value
