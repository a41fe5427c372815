"""An agent divides traces between three gateways, which sample: no trace is torn, and no fault is lost."""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from autogen_streamtrace.core import semconv

from .collector import CONFIG, FILES, GATEWAY, Collector
from .sampling import await_decisions
from .sending import ABANDONED, COMPLETED, TIMED_OUT, Ids, Sender, batches, event, hex_ids, span
from .server import HOST, eventually

pytestmark = pytest.mark.timeout(150)

EARLY, REST = 50, 20
TRACES = 900
"""Of each kind."""
TOLERANCE = 0.05
CHILDREN = 3
LAST = 60
"""Traces that are decided after all others; enough for each shard of each gateway to have some."""


@dataclass(frozen=True)
class Tier:
    agent: Collector
    gateways: list[Collector]

    def where(self) -> dict[str, set[int]]:
        """By span id the gateways that wrote it."""
        found = defaultdict(set)
        for index, gateway in enumerate(self.gateways):
            for each in gateway.spans():
                found[each.data["spanId"]].add(index)
        return found


@pytest.fixture(scope="module")
def tier(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tier]:
    shares = {
        "SAMPLING_EARLY_PERCENT": str(EARLY),
        "SAMPLING_REST_PERCENT": str(REST),
        "SAMPLING_SHARDS": "2",
    }
    with ExitStack() as stack:
        gateways = [
            stack.enter_context(Collector(tmp_path_factory.mktemp(f"gateway{number}"), CONFIG, FILES, **shares))
            for number in range(3)
        ]
        ports = ", ".join(f"{HOST}:{gateway.grpc_port}" for gateway in gateways)
        agent = Collector(tmp_path_factory.mktemp("agent"), GATEWAY, GATEWAYS=f"[{ports}]")
        yield Tier(stack.enter_context(agent), gateways)


@pytest.fixture(scope="module")
def sent(tier: Tier) -> dict[str, list[list[Span]]]:
    """By the root's ending the traces, root first; each trace's spans went out in requests of their own."""
    ids = Ids("gateways")
    endings = {"fault": TIMED_OUT, "early": ABANDONED, "rest": COMPLETED}
    traces: dict[str, list[list[Span]]] = {kind: [] for kind in endings}
    for kind, told in endings.items():
        for trace in (ids.trace() for _ in range(TRACES)):
            root = span(ids, trace, told)
            children = [span(ids, trace, COMPLETED, parent=root.span_id) for _ in range(CHILDREN)]
            traces[kind].append([root, *children])
    everything = [trace for one_of_each in zip(*traces.values(), strict=True) for trace in one_of_each]
    sender = Sender(tier.agent.http_port)
    for position in (*range(1, CHILDREN + 1), 0):  # the roots last
        for batch in batches((trace[position] for trace in everything), 150):
            assert sender.spans(*batch)
    # Faults are told at once. Some of them are in all that the agent makes of a batch: with them all roots have come.
    faults = hex_ids(root for root, *_ in traces["fault"])
    eventually(lambda: faults <= tier.where().keys(), limit=60, what="the roots")
    await_decisions(sender, ids, tier.where, traces=LAST)
    sender.close()
    return traces


def test_every_trace_with_a_fault_is_kept_whole(tier: Tier, sent: dict[str, list[list[Span]]]) -> None:
    where = tier.where()
    assert all(where[each] for trace in sent["fault"] for each in hex_ids(trace))


def test_all_spans_of_a_trace_are_on_one_gateway(tier: Tier, sent: dict[str, list[list[Span]]]) -> None:
    where = tier.where()
    for kind in sent.values():
        for trace in kind:
            kept = [where[each] for each in hex_ids(trace) if where[each]]
            assert len(kept) in (0, CHILDREN + 1)
            assert len({frozenset(each) for each in kept}) <= 1 and all(len(each) == 1 for each in kept)


def test_every_gateway_has_its_part(tier: Tier, sent: dict[str, list[list[Span]]]) -> None:
    where = tier.where()
    parts = [sum(index in where[trace[0].span_id.hex()] for trace in sent["fault"]) for index in range(3)]
    assert all(part > TRACES / 6 for part in parts)


@pytest.mark.parametrize(("kind", "percent"), [("early", EARLY), ("rest", REST)])
def test_the_others_are_kept_at_the_share_asked_for(
    tier: Tier, sent: dict[str, list[list[Span]]], kind: str, percent: int
) -> None:
    where = tier.where()
    kept = sum(bool(where[trace[0].span_id.hex()]) for trace in sent[kind])
    assert kept / TRACES == pytest.approx(percent / 100, abs=TOLERANCE)


def test_an_instances_metrics_all_go_to_one_gateway(tier: Tier) -> None:
    for number in range(6):
        sender = Sender(tier.agent.http_port, service_instance_id=f"worker-{number}")
        for metric in (semconv.M_STARTED, semconv.M_ENDED, semconv.M_CUT):
            assert sender.count(metric, 1, {semconv.A_LAYER: semconv.HTTP})
        sender.close()

    def where() -> dict[str, list[int]]:
        found: defaultdict[str, list[int]] = defaultdict(list)
        for index, gateway in enumerate(tier.gateways):
            for metric in gateway.metrics():
                points = metric.data["sum"]["dataPoints"]
                found[metric.resource["service.instance.id"]] += [index] * len(points)
        return found

    eventually(lambda: sum(map(len, where().values())) >= 18, what="the metrics")
    assert all(len(gateways) == 3 and len(set(gateways)) == 1 for gateways in where().values())


def test_events_arrive_once(tier: Tier) -> None:
    sender = Sender(tier.agent.http_port)
    for number in range(20):
        assert sender.events(event(semconv.E_END, f"event {number}", TIMED_OUT))
    sender.close()

    def bodies() -> list[str]:
        return [each.data["body"]["stringValue"] for gateway in tier.gateways for each in gateway.logs()]

    eventually(lambda: len(bodies()) >= 20, what="the events")
    assert sorted(bodies()) == sorted(f"event {number}" for number in range(20))
