"""What the sampler keeps: every fault, and of the rest the shares that were asked for."""

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from .collector import CONFIG, FILES, Collector
from .sampling import await_decisions
from .sending import ABANDONED, COMPLETED, KILLED, TIMED_OUT, Ids, Sender, batches, hex_ids, span
from .server import eventually

pytestmark = pytest.mark.timeout(120)

SLOW = 100.0
"""Seconds; beyond the configured 60."""
SHARES = {"early": 50, "slow": 30, "rest": 10}
ROOT_WAIT = 2
"""Seconds."""
BETWEEN_BATCHES = 2
"""Seconds, more than those between two rounds of decisions."""
TRACES = 1500
"""Of each kind."""
TOLERANCE = 0.04
"""Three standard deviations of one half. The trace ids are the same each time: a run that passes stays so."""


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collector]:
    shares = {f"SAMPLING_{kind.upper()}_PERCENT": str(share) for kind, share in SHARES.items()}
    folder = tmp_path_factory.mktemp("sampling")
    with Collector(folder, CONFIG, FILES, SAMPLING_ROOT_WAIT=f"{ROOT_WAIT}s", **shares) as running:
        yield running


@pytest.fixture
def sender(collector: Collector) -> Iterator[Sender]:
    sending = Sender(collector.http_port)
    yield sending
    sending.close()


@pytest.fixture
def ids(request: pytest.FixtureRequest) -> Ids:
    return Ids(request.node.name)


def decided(collector: Collector, sender: Sender, ids: Ids) -> None:
    """Wait until the sampler has decided on every trace whose root was sent before this call."""
    await_decisions(sender, ids, lambda: arrived(collector))


def arrived(collector: Collector) -> Counter[str]:
    return Counter(each.data["spanId"] for each in collector.spans())


def test_a_trace_with_a_fault_is_kept_whole_and_once(collector: Collector, sender: Sender, ids: Ids) -> None:
    traces = [ids.trace() for _ in range(50)]
    spans = [
        each
        for trace in traces
        for root in [span(ids, trace, COMPLETED)]
        for each in (
            span(ids, trace, COMPLETED, parent=root.span_id),
            span(ids, trace, TIMED_OUT, parent=root.span_id),
            root,
        )
    ]
    for batch in batches(spans, 25):
        assert sender.spans(*batch)
    decided(collector, sender, ids)
    came = arrived(collector)
    assert {each: came[each] for each in hex_ids(spans)} == dict.fromkeys(hex_ids(spans), 1)


def test_a_fault_does_not_wait_for_the_end_of_its_trace(collector: Collector, sender: Sender, ids: Ids) -> None:
    fault = span(ids, ids.trace(), TIMED_OUT, parent=ids.span())
    sender.spans(fault)
    eventually(lambda: arrived(collector)[fault.span_id.hex()], what="the fault")


def test_a_child_that_was_exported_well_before_its_root_ended_early_is_kept(
    collector: Collector, sender: Sender, ids: Ids
) -> None:
    """With a decision made some seconds after the child, as many as after a root, it would be gone."""
    trace = ids.trace()
    root = span(ids, trace, TIMED_OUT)
    child = span(ids, trace, COMPLETED, parent=root.span_id)
    sender.spans(child)
    decided(collector, sender, ids)
    assert not arrived(collector)[child.span_id.hex()]
    sender.spans(root)
    eventually(lambda: arrived(collector)[child.span_id.hex()], what="the child")


def test_a_fault_that_comes_after_its_root_keeps_the_whole_trace(tmp_path: Path, ids: Ids) -> None:
    """An SDK sends in batches: the root may be in one and its children in the next."""
    trace = ids.trace()
    root = span(ids, trace, COMPLETED)
    with (
        Collector(tmp_path, CONFIG, FILES, SAMPLING_ROOT_WAIT=f"{5 * BETWEEN_BATCHES}s") as collector,
        contextlib.closing(Sender(collector.http_port)) as sender,
    ):
        assert sender.spans(root)
        time.sleep(BETWEEN_BATCHES)
        assert sender.spans(span(ids, trace, TIMED_OUT, parent=root.span_id))
        eventually(lambda: arrived(collector)[root.span_id.hex()], what="the root")


@pytest.mark.parametrize(
    ("kind", "told", "seconds"), [("early", ABANDONED, 1.0), ("slow", COMPLETED, SLOW), ("rest", COMPLETED, 1.0)]
)
def test_the_others_are_kept_at_the_share_asked_for(
    collector: Collector, sender: Sender, ids: Ids, kind: str, told: dict[str, object], seconds: float
) -> None:
    roots = [span(ids, ids.trace(), told, seconds=seconds) for _ in range(TRACES)]
    for batch in batches(roots, 100):
        assert sender.spans(*batch)
    decided(collector, sender, ids)
    kept = arrived(collector).keys() & hex_ids(roots)
    assert len(kept) / TRACES == pytest.approx(SHARES[kind] / 100, abs=TOLERANCE)


def test_a_recovered_span_arrives_though_its_trace_was_judged_and_dropped(
    collector: Collector, sender: Sender, ids: Ids
) -> None:
    judged = [span(ids, ids.trace(), COMPLETED) for _ in range(20)]
    sender.spans(*judged)
    decided(collector, sender, ids)
    dropped = [root for root in judged if not arrived(collector)[root.span_id.hex()]]
    assert dropped
    hours = 3 * 3600
    recovered = [span(ids, root.trace_id, KILLED, parent=root.span_id, seconds=20, ended_ago=hours) for root in dropped]
    sender.spans(*recovered)
    eventually(lambda: hex_ids(recovered) <= arrived(collector).keys(), what="the recovered spans")
    found = {each.data["spanId"]: each.data for each in collector.spans()}
    assert found[recovered[0].span_id.hex()]["endTimeUnixNano"] == str(recovered[0].end_time_unix_nano)
