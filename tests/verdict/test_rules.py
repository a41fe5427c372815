"""The rule table: what each rule says, which of two rules wins, what a verdict means."""

from itertools import product
from typing import Any, Final, get_args

import pytest

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.verdict.rules import (
    RULES,
    Evidence,
    Verdict,
    judge,
)

Says = tuple[str, str, str]
"""Outcome, ended_by, and what it waits on."""


def http(how: Any = "returned", **more: Any) -> Evidence:
    """An exchange under a model's stream, whose body was read to its end."""
    return Evidence("http", how, **{"of_model": True, "expects_terminator": True, **more})


def model(how: Any = "returned", **more: Any) -> Evidence:
    return Evidence("model", how, **more)


def agent(how: Any = "returned", **more: Any) -> Evidence:
    return Evidence("agent", how, **more)


def server(how: Any = "returned", **more: Any) -> Evidence:
    """A response to an end user."""
    return Evidence("server", how, **{"expects_terminator": True, **more})


LEFT_OPEN: Final = ("abandoned", "caller", "innermost")
EXAMPLES: Final[dict[str, tuple[Evidence, Says]]] = {
    "never read": (agent("unread"), ("never_started", "caller", "caller")),
    "HTTP error status": (http(status=429), ("rejected", "upstream", "self")),
    "server shut down": (agent("raised", kind="cancelled", shutdown=True), ("cancelled", "process", "innermost")),
    "end user gone, held up": (
        server("closed", kind="closed", gone=True, held=True),
        ("cancelled", "end_user", "caller"),
    ),
    "end user gone": (server("closed", kind="closed", gone=True), ("cancelled", "end_user", "innermost")),
    "reader had enough": (
        Evidence("http", "closed", "closed", held=True, status=202),
        ("completed", "caller", "none"),
    ),
    "thrown in by the reader": (agent("raised", kind="other", thrown_in=True), ("failed", "caller", "none")),
    "timer of the HTTP client": (http("raised", kind="timeout"), ("timeout", "http_client", "self")),
    "client closed in this process": (http("raised", kind="closed here"), ("failed", "caller", "self")),
    "connection lost": (http("raised", kind="lost"), ("disconnected", "upstream", "self")),
    "error event": (model("raised", kind="rejected"), ("rejected", "upstream", "none")),
    "token limit": (model(finish="length"), ("length", "model", "none")),
    "provider's filter": (model(finish="filtered"), ("filtered", "model", "none")),
    "failed finish reason": (model(finish="failed"), ("rejected", "upstream", "none")),
    "left after its end": (model("closed", terminal=True), ("completed", "model", "none")),
    "unparsable event": (model("raised", kind="malformed"), ("malformed", "upstream", "none")),
    "hung up when idle": (server("raised", kind="gone"), ("completed", "agent", "none")),
    "end user gone, inside": (agent("raised", kind="gone"), ("cancelled", "end_user", "none")),
    "cancelled inside": (Evidence("tool", "raised", "cancelled", inside=True), ("cancelled", "tool", "none")),
    "cancelled": (agent("raised", kind="cancelled"), ("cancelled", "caller", "innermost")),
    "reader left": (agent("closed", kind="closed", held=True), ("abandoned", "caller", "caller")),
    "closed while it waited": (agent("closed", kind="closed"), ("abandoned", "caller", "innermost")),
    "own code": (agent("raised", kind="other"), ("failed", "agent", "none")),
    "error in the reply": (model(error=True), ("rejected", "upstream", "none")),
    "no event stream": (model(document=True, empty=True), ("malformed", "upstream", "none")),
    "empty reply, nothing finished": (model(empty=True, terminated=True), ("truncated", "upstream", "none")),
    "clean end, nothing finished": (http(), ("truncated", "upstream", "none")),
    "ran to its end": (model(finish="done"), ("completed", "model", "none")),
}


def says(evidence: Evidence) -> Says:
    rule = judge(evidence)
    return rule.outcome, rule.ended_by(evidence), rule.waiting


def test_every_rule_has_an_example_here_in_the_tables_order() -> None:
    assert list(EXAMPLES) == [rule.name for rule in RULES]


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_judged_by_its_rule(name: str) -> None:
    evidence, expected = EXAMPLES[name]
    assert judge(evidence).name == name
    assert says(evidence) == expected


@pytest.mark.parametrize("name", list(EXAMPLES)[:-1])
def test_without_its_rule_an_example_is_judged_otherwise(name: str) -> None:
    evidence, expected = EXAMPLES[name]
    rule = next(rule for rule in RULES if rule.name != name and rule.fits(evidence))
    assert (rule.outcome, rule.ended_by(evidence), rule.waiting) != expected


def test_the_rules_reach_every_outcome_but_killed() -> None:
    assert {rule.outcome for rule in RULES} == set(sc.OUTCOMES) - {"killed"}


def test_the_vocabulary_is_the_contracts() -> None:
    assert get_args(sc.Outcome) == sc.OUTCOMES
    assert get_args(sc.Layer) == sc.LAYERS
    assert {says(evidence)[1] for evidence, _ in EXAMPLES.values()} <= set(get_args(sc.EndedBy))


ORDER: Final[list[tuple[str, str, Evidence]]] = [
    # the winner, the one that fits too, the evidence
    ("HTTP error status", "timer of the HTTP client", http("raised", kind="timeout", status=500)),
    ("HTTP error status", "cancelled", http("raised", kind="cancelled", status=503)),
    ("HTTP error status", "reader left", http("closed", kind="closed", held=True, status=401)),
    ("HTTP error status", "clean end, nothing finished", http(status=429)),
    ("left after its end", "reader left", agent("closed", kind="closed", held=True, terminal=True)),
    ("left after its end", "closed while it waited", http("closed", kind="closed", terminal=True)),
    ("token limit", "left after its end", model("closed", kind="closed", terminal=True, finish="length")),
    ("error event", "left after its end", model("closed", kind="closed", terminal=True, error=True)),
    ("error event", "reader left", http("closed", kind="closed", held=True, error=True, alone=True)),
    ("thrown in by the reader", "connection lost", agent("raised", kind="lost", thrown_in=True)),
    ("thrown in by the reader", "own code", agent("raised", kind="other", thrown_in=True)),
    ("timer of the HTTP client", "own code", http("raised", kind="timeout")),
    ("connection lost", "own code", http("raised", kind="lost")),
    ("unparsable event", "own code", http("raised", kind="malformed")),
    ("error event", "own code", model("raised", kind="rejected")),
    ("error event", "own code", model("raised", kind="other", error=True)),
    ("error event", "unparsable event", model("raised", kind="malformed", error=True)),
    ("reader had enough", "cancelled", Evidence("http", "raised", "cancelled", status=200)),
    ("reader had enough", "closed while it waited", Evidence("http", "closed", "closed", status=200)),
    ("HTTP error status", "reader had enough", Evidence("http", "closed", "closed", status=404)),
    ("token limit", "unparsable event", model("raised", kind="unusable", finish="length")),
    ("provider's filter", "unparsable event", model("raised", kind="malformed", finish="filtered")),
    ("failed finish reason", "unparsable event", model("raised", kind="unusable", finish="failed")),
    ("failed finish reason", "error in the reply", model(finish="failed", error=True)),
    ("error in the reply", "no event stream", model(error=True, document=True, empty=True)),
    ("no event stream", "empty reply, nothing finished", model(document=True, empty=True, terminated=True)),
    ("client closed in this process", "own code", http("raised", kind="closed here")),
    ("connection lost", "own code", http("raised", kind="socket")),
    ("end user gone, inside", "own code", agent("raised", kind="gone")),
    ("hung up when idle", "end user gone, inside", server("raised", kind="gone")),
    ("cancelled inside", "cancelled", agent("raised", kind="cancelled", inside=True)),
    ("cancelled", "own code", agent("raised", kind="cancelled")),
    ("reader left", "closed while it waited", agent("closed", kind="closed", held=True)),
    ("closed while it waited", "own code", agent("raised", kind="closed")),
    ("clean end, nothing finished", "ran to its end", http()),
]


@pytest.mark.parametrize(("winner", "loser", "evidence"), ORDER)
def test_the_earlier_of_two_fitting_rules_decides(winner: str, loser: str, evidence: Evidence) -> None:
    fitting = {rule.name for rule in RULES if rule.fits(evidence)}
    assert {winner, loser} <= fitting
    assert judge(evidence).name == winner


CANCELLED: Final[Says] = ("cancelled", "caller", "innermost")
LEFT: Final[Says] = ("abandoned", "caller", "innermost")
DONE: Final[Says] = ("completed", "model", "none")

NEAREST: Final[list[tuple[str, Evidence, Says]]] = [
    ("a bare timeout out of a transport", http("raised", kind="late"), ("timeout", "http_client", "self")),
    ("a bare timeout in a tool", Evidence("tool", "raised", "late"), ("failed", "tool", "none")),
    ("a bare timeout in a client class", model("raised", kind="late"), ("failed", "agent", "none")),
    ("a closed connection in a tool", Evidence("tool", "raised", "closed here"), ("failed", "tool", "none")),
    ("a status below 400", http(status=399, terminal=True), ("completed", "model", "none")),
    ("a status of 400", http(status=400), ("rejected", "upstream", "self")),
    ("a status above the HTTP layer", model(status=500), ("completed", "model", "none")),
    ("a finish reason on the HTTP layer", http(finish="length", terminal=True), ("completed", "model", "none")),
    ("an unknown finish reason", model(finish="unknown"), ("completed", "model", "none")),
    ("a finish reason with an agent", agent(finish="failed"), ("completed", "agent", "none")),
    ("a finish reason and an exception", model("raised", kind="other", finish="done"), ("failed", "agent", "none")),
    ("an error in a reply, on its exchange", http(error=True), ("completed", "model", "none")),
    ("an error event and a cancellation", model("raised", kind="cancelled", error=True), CANCELLED),
    (
        "a token limit and a failure of code",
        model("raised", kind="other", finish="length"),
        ("failed", "agent", "none"),
    ),
    ("a token limit and a reader that left", model("closed", kind="closed", finish="length"), LEFT),
    ("a document of which the client made something", model(document=True), ("completed", "model", "none")),
    ("an empty reply that the model finished", model(empty=True, terminated=True, finish="done"), DONE),
    ("an empty reply of which no end was read", model(empty=True), DONE),
    ("a reply that a reader closed", http("closed", kind="closed", status=200), LEFT),
    (
        "an exchange that a deadline stopped",
        Evidence("http", "raised", "cancelled", status=200, deadline=True),
        CANCELLED,
    ),
    ("an exchange without a response", Evidence("http", "raised", "cancelled"), CANCELLED),
    ("a bare socket's error in a tool", Evidence("tool", "raised", "socket"), ("failed", "tool", "none")),
    ("a bare socket's error in an agent", agent("raised", kind="socket"), ("failed", "agent", "none")),
    ("something unusable in an agent", agent("raised", kind="unusable"), ("failed", "agent", "none")),
    ("a cancellation inside an agent", agent("raised", kind="cancelled", inside=True), ("cancelled", "agent", "none")),
    ("an unparsable thing in a tool", Evidence("tool", "raised", "malformed"), ("failed", "tool", "none")),
    ("an unparsable thing in an agent", agent("raised", kind="malformed"), ("failed", "agent", "none")),
    ("an SDK's error in a tool", Evidence("tool", "raised", "rejected"), ("failed", "tool", "none")),
    ("an SDK's error in an agent", agent("raised", kind="rejected"), ("failed", "agent", "none")),
    ("a raise after the terminal item", agent("raised", kind="other", terminal=True), ("failed", "agent", "none")),
    ("no finish reason, no body to read it from", model(), ("completed", "model", "none")),
    ("a body that needs no terminator", http(expects_terminator=False), ("completed", "model", "none")),
    ("a reply at its limit under no model", http(finish="length", alone=True), ("length", "model", "none")),
    ("a limit told, and its end not reached", model("closed", kind="closed", finish="length"), LEFT_OPEN),
    ("a body that is not a model's", Evidence("http", "returned"), ("completed", "upstream", "none")),
    ("a response that was given to its end", server(terminal=True), ("completed", "agent", "none")),
    ("a response that broke off", server(), ("truncated", "agent", "none")),
    ("one that broke off as the server shut down", server(shutdown=True), ("cancelled", "process", "innermost")),
    ("one that was whole by then", server(terminal=True, shutdown=True), ("completed", "agent", "none")),
    (
        "one closed as the server shut down",
        server("closed", gone=True, shutdown=True),
        ("cancelled", "process", "innermost"),
    ),
    ("one whose event loop closed", server("closed", kind="closed"), ("abandoned", "caller", "innermost")),
    (
        "one that failed as the server shut down",
        server("raised", kind="other", shutdown=True),
        ("failed", "agent", "none"),
    ),
    (
        "an agent that was left as the server shut down",
        agent("closed", shutdown=True),
        ("abandoned", "caller", "innermost"),
    ),
    ("a tool that returned", Evidence("tool", "returned"), ("completed", "tool", "none")),
    ("a team that returned", Evidence("team", "returned"), ("completed", "agent", "none")),
    ("a stream of the user's own that returned", Evidence("stream", "returned"), ("completed", "agent", "none")),
    ("a stream of the user's own that raised", Evidence("stream", "raised", "other"), ("failed", "agent", "none")),
    ("an HTTP client that raised something unknown", http("raised", kind="other"), ("failed", "agent", "none")),
]


@pytest.mark.parametrize(("evidence", "expected"), [each[1:] for each in NEAREST], ids=[each[0] for each in NEAREST])
def test_the_nearest_cases_that_a_rule_must_not_take(evidence: Evidence, expected: Says) -> None:
    assert says(evidence) == expected


def verdict(outcome: Any = "timeout", ended_by: Any = "http_client", **more: Any) -> Verdict:
    return Verdict(outcome, ended_by, "none", "", **{"rule": "a rule", **more})


@pytest.mark.parametrize("outcome", sc.OUTCOMES)
def test_early_is_false_for_completed_alone(outcome: sc.Outcome) -> None:
    assert verdict(outcome).early is (outcome != "completed")


@pytest.mark.parametrize("outcome", sc.OUTCOMES)
def test_fault_is_false_for_normal_ends_and_for_callers_and_clients_unless_a_deadline_struck(
    outcome: sc.Outcome,
) -> None:
    for who, what in product(get_args(sc.EndedBy), (None, *get_args(sc.CancelledBy))):
        normal = outcome in ("completed", "length", "filtered")
        chosen = who in ("caller", "end_user") and what != "deadline"
        assert verdict(outcome, who, cancelled_by=what).fault is (not normal and not chosen), (who, what)


def test_a_client_that_the_program_closes_under_a_stream_is_a_fault_and_an_exception_thrown_in_is_none() -> None:
    assert verdict("failed", "caller", rule="client closed in this process").fault
    assert not verdict("failed", "caller", rule="thrown in by the reader").fault


def test_error_type_is_the_status_else_the_cause_else_the_outcome() -> None:
    assert verdict("rejected", status=503, cause_type="openai.InternalServerError").error_type == "503"
    assert verdict("timeout", cause_type="httpx.ReadTimeout").error_type == "httpx.ReadTimeout"
    assert verdict("truncated").error_type == "truncated"


@pytest.mark.parametrize("layer", sc.LAYERS)
def test_every_evidence_is_judged(layer: sc.Layer) -> None:
    ways = ("returned", "raised", "closed", "unread")
    kinds = (None, "timeout", "lost", "malformed", "rejected", "cancelled", "closed", "gone", "other")
    flags = list(product((False, True), repeat=3))
    for how, kind, (held, thrown_in, terminal), status in product(ways, kinds, flags, (None, 200, 500)):
        evidence = Evidence(layer, how, kind, held, thrown_in, terminal, status=status)  # type: ignore[arg-type]
        outcome, ended_by, _ = says(evidence)
        assert outcome in sc.OUTCOMES
        assert ended_by in get_args(sc.EndedBy)
