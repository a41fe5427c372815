"""What the span of a stream says, as attributes."""

from . import names as n
from .case import Case
from .counts import Attributes
from .endings import Verdict
from .record import Record


def of_judged(case: Case) -> Attributes:
    """All but ``error.type``, of a stream that is over."""
    assert case.verdict is not None
    return {**of_verdict(case.verdict), **_of_case(case), **_of_record(case.record)}


def of_verdict(verdict: Verdict) -> Attributes:
    """How it ended."""
    attributes: Attributes = {
        n.A_OUTCOME: verdict.outcome,
        n.A_ENDED_BY: verdict.ended_by,
        n.A_WAITING_ON_TYPE: verdict.waiting_on,
        n.A_EARLY: verdict.early,
        n.A_FAULT: verdict.fault,
        n.A_ORIGIN: verdict.origin,
    }
    if verdict.waiting_on_name:
        attributes[n.A_WAITING_ON_NAME] = verdict.waiting_on_name
    if verdict.cause_type:
        attributes[n.A_CAUSE_TYPE] = verdict.cause_type
        attributes[n.A_CAUSE_CHAIN] = verdict.cause_chain
        attributes[n.A_CAUSE_LAYER] = verdict.cause_layer
    if verdict.cancelled_by is not None:
        attributes[n.A_CANCELLED_BY] = verdict.cancelled_by
    if verdict.intermediary:
        attributes[n.A_INTERMEDIARY] = verdict.intermediary
    if verdict.limit is not None:
        attributes[n.A_LIMIT_ID] = verdict.limit.id
        attributes[n.A_LIMIT_SOURCE] = verdict.limit.source
        if verdict.limit.value is not None:
            attributes[n.A_LIMIT_VALUE] = verdict.limit.value
    return attributes


def _of_case(case: Case) -> Attributes:
    record = case.record
    assert case.over_at is not None
    ended = case.ending.at if case.ending is not None else case.over_at
    attributes: Attributes = {
        n.A_OUTERMOST: case.outermost,
        n.A_SILENCE: max(0.0, ended - record.last),
        n.A_STALLS: case.stalls,
    }
    if case.stalls:
        attributes[n.A_LOOP_BLOCKED] = case.loop_blocked
    if case.over_at > case.verdict_at:
        attributes[n.A_OVERRUN] = case.over_at - case.verdict_at
    if record.layer == n.MODEL:
        attributes[n.A_ATTEMPTS] = case.attempts
        began = record.chunks > 0 or (record.status is not None and record.status < 400)
        attributes |= {key: value for key, value in case.exchange if key in (n.SERVER_ADDRESS, n.SERVER_PORT)}
        reason = case.finish or ("error" if began and case.verdict is not None and case.verdict.early else None)
        if reason is not None:
            attributes[n.GEN_AI_FINISH_REASONS] = (reason,)
    return attributes


def contents(case: Case) -> Attributes:
    """What it was asked and what it said, where contents are recorded."""
    record, verdict = case.record, case.verdict
    assert record.content is not None and verdict is not None
    finish = case.finish or ("error" if verdict.early else "") if record.layer == n.MODEL else ""
    return record.content.attributes(record.layer, finish)


def _of_record(record: Record) -> Attributes:
    attributes: Attributes = {
        n.A_CHUNKS: record.chunks,
        n.A_LONGEST_GAP: record.longest_gap,
        n.A_CALLER_TIME: record.caller_time,
    }
    if record.chunks:
        attributes[n.A_FIRST_CHUNK] = record.first - record.start
    if record.layer == n.SERVER:
        attributes[n.A_BYTES] = record.size
        attributes[n.A_LONGEST_SEND] = record.longest_send
        if record.status is not None:
            attributes[n.HTTP_STATUS] = record.status
    if record.layer == n.HTTP:
        attributes[n.A_BYTES] = record.size
        if record.intermediary:
            attributes[n.A_INTERMEDIARY] = record.intermediary
        for name, value in record.request_ids:
            attributes[n.HTTP_RESPONSE_HEADER + name] = (value,)
        if record.status is not None:
            attributes[n.HTTP_STATUS] = record.status
    if record.layer == n.MODEL:
        attributes[n.A_CHARACTERS] = record.size
        if record.chunks and record.opening.streamed:
            attributes[n.GEN_AI_FIRST_CHUNK] = record.first - record.start
        for key, said in (
            (n.GEN_AI_INPUT_TOKENS, record.input_tokens),
            (n.GEN_AI_OUTPUT_TOKENS, record.output_tokens),
            (n.GEN_AI_RESPONSE_ID, record.response_id),
            (n.GEN_AI_RESPONSE_MODEL, record.response_model),
        ):
            if said is not None:
                attributes[key] = said
    if record.layer in (n.HTTP, n.MODEL):
        attributes[n.A_TERMINATOR] = record.terminated
    return attributes
