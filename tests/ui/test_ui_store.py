"""The store of the page: what it keeps, what it counts as a turn, and what every view says of it."""

import json
import random
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import BEGINNING, Turn, cut, lines, request, spans

from autogen_streamtrace.commands.diagnose.findings import diagnose
from autogen_streamtrace.commands.store import keeping
from autogen_streamtrace.commands.store.frames import all_streams
from autogen_streamtrace.commands.store.keeping import Bounds, Keeper
from autogen_streamtrace.commands.store.place import FILE, held
from autogen_streamtrace.commands.store.reading import Reader
from autogen_streamtrace.commands.store.writing import Batch, Writer
from autogen_streamtrace.commands.ui.views import cuts as views_cuts
from autogen_streamtrace.commands.ui.views import filters as filtering
from autogen_streamtrace.commands.ui.views.compare import compare
from autogen_streamtrace.commands.ui.views.cuts import cuts
from autogen_streamtrace.commands.ui.views.facets import facets
from autogen_streamtrace.commands.ui.views.now import now
from autogen_streamtrace.commands.ui.views.turn_list import turn_list
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.limits import LimitMatcher, builtin

pytestmark = pytest.mark.once

HOSTILE = "<img src=x onerror=alert(1)>'\"; DROP TABLE turns; --\u202e\x00" + "x" * 5000
ALL = filtering.read([("since", "all")])


class Store:
    """A store in a folder, with its writer."""

    def __init__(self, folder: Path) -> None:
        self._held = held(folder / "store")
        self.file = self._held.__enter__()
        self.writer = Writer(self.file)
        self._readers: list[Reader] = []

    def add(self, *documents: str) -> int:
        return self.writer.write([Batch.of(json.loads(each)) for each in documents])

    @property
    def reader(self) -> Reader:
        self._readers.append(Reader(self.file))
        return self._readers[-1]

    def close(self) -> None:
        for each in self._readers:
            each.close()
        self.writer.close()
        self._held.__exit__(None, None, None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    made = Store(tmp_path)
    yield made
    made.close()


def event(event_name: str, trace: str, span: str, at: int, **attributes: Any) -> str:
    """A log event of ours."""
    told = [{"key": f"streamtrace.{key}", "value": _value(value)} for key, value in attributes.items()]
    record = {"timeUnixNano": str(at), "eventName": event_name, "traceId": trace, "spanId": span, "attributes": told}
    scope = {"scope": {"name": sc.SCOPE}, "logRecords": [record]}
    return json.dumps({"resourceLogs": [{"resource": {"attributes": []}, "scopeLogs": [scope]}]})


def _value(value: Any) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}


def query(*pairs: str) -> filtering.Filters:
    return filtering.read([("since", "all"), *(tuple(pair.split("=", 1)) for pair in pairs)])  # type: ignore[list-item]


def test_a_turn_counts_once_with_what_took_part_and_where_its_ending_arose(store: Store) -> None:
    store.add(*lines([Turn(), cut(60.0, intermediary="nginx")]))
    well, lost = sorted(turn_list(store.reader, ALL)["turns"], key=lambda turn: turn["early"])
    assert (well["outcome"], well["sort"], well["agents"]) == ("completed", "good", ["support_agent"])
    assert (lost["outcome"], lost["origin_layer"], lost["host"]) == ("disconnected", "http", "models.example")
    assert (lost["layer"], lost["silence"], lost["cause"]) == ("agent", 60.0, "httpx2.RemoteProtocolError")
    assert "waiting on http models.example, after 60 s of silence" in lost["sentence"]


@given(order=st.permutations(range(6)))
@settings(max_examples=6)
def test_a_turn_is_the_same_in_whatever_order_its_spans_come(
    order: list[int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    parts = [span for number, turn in enumerate((Turn(), cut(30.0))) for span in spans(turn, number)]
    apart = Store(tmp_path_factory.mktemp("apart"))
    for at in order:
        apart.add(request([parts[at]]))
    found = turn_list(apart.reader, ALL)["turns"]
    apart.close()
    together = Store(tmp_path_factory.mktemp("together"))
    together.add(request(parts))
    assert found == turn_list(together.reader, ALL)["turns"]
    together.close()


def test_the_views_count_what_diagnose_counts(store: Store) -> None:
    random_ = random.Random(3)
    turns = [Turn(at=random_.uniform(0, 9000)) for _ in range(300)]
    turns += [cut(60 + random_.uniform(0, 0.2), intermediary="nginx", at=random_.uniform(0, 9000)) for _ in range(40)]
    turns += [Turn(outcome=sc.CANCELLED, ended_by="caller", cancelled_by="task", at=1.0) for _ in range(7)]
    store.add(*lines(turns))
    found, diagnosis = cuts(store.reader, ALL), diagnose(all_streams(store.reader), LimitMatcher(builtin()))
    assert (found["turns"], found["lost"]) == (diagnosis.turns, diagnosis.lost) == (347, 47)
    over_time = {outcome: sum(bars) for outcome, bars in found["over_time"]["outcomes"].items()}
    assert over_time == {"completed": 300, "disconnected": 40, "cancelled": 7}
    assert {outcome: sum(bars) for outcome, bars in found["silence"]["outcomes"].items()} == {
        "disconnected": 40,
        "cancelled": 7,
    }
    edges, bars = found["silence"]["edges"], found["silence"]["outcomes"]["disconnected"]
    assert edges[bars.index(40)] <= 60 <= edges[bars.index(40) + 1] and len(edges) == len(bars) + 1
    assert diagnosis.findings[0].limit == "nginx.proxy_read_timeout"


def test_diagnose_reads_from_the_store_what_it_reads_from_the_file(store: Store, tmp_path: Path) -> None:
    from autogen_streamtrace.commands.reading import files

    source = tmp_path / "otlp.jsonl"
    written = list(lines([Turn(at=1.0), cut(60.0, intermediary="nginx", at=2.0), cut(5.0, at=3.0)]))
    source.write_text("\n".join(written), encoding="utf-8")
    store.add(*written)
    key = ["span", "layer"]
    texts = [pl.col(pl.Categorical()).cast(pl.String())]
    read = files.read([str(source)]).table.with_columns(texts).sort(key)
    assert all_streams(store.reader).with_columns(texts).sort(key).equals(read)


@pytest.mark.parametrize(
    ("pairs", "turns"),
    [
        (("service=desk",), 2),
        (("service=desk", "service=other"), 3),
        (("agent=support_agent", "outcome=completed"), 1),
        (("host=models.example",), 2),
        (("host=other.example", "ended_by=upstream"), 1),
        (("tool=none",), 0),
        (("framework=autogen",), 1),
        (("model=gpt-4o", "service=desk", "outcome=disconnected"), 1),
        ((f"service={HOSTILE}",), 0),
    ],
)
def test_a_filter_chooses_turns_by_what_took_part(store: Store, pairs: tuple[str, ...], turns: int) -> None:
    store.add(*lines([Turn(more={sc.A_FRAMEWORK: "autogen"}), cut(3.0)]))
    store.add(request(list(spans(cut(9.0, host="other.example"), 77)), service="other"))
    found = cuts(store.reader, query(*pairs))["turns"]
    assert found == turns == len(turn_list(store.reader, query(*pairs))["turns"])


def test_a_facet_lists_its_values_whatever_is_chosen_of_it(store: Store) -> None:
    store.add(*lines([Turn(), Turn(), cut(3.0)]))
    found = facets(store.reader, query("outcome=completed"))
    assert {each["value"]: each["turns"] for each in found["outcome"]} == {"completed": 2, "disconnected": 1}
    assert found["agent"] == [{"value": "support_agent", "turns": 2}]


@pytest.mark.parametrize(
    "pairs",
    [(), ("service=desk",), ("agent=support_agent", "outcome=disconnected"), ("framework=autogen",), ("since=1d",)],
)
def test_a_view_of_many_turns_reads_their_indexes_alone(store: Store, pairs: tuple[str, ...]) -> None:
    """A million of them would take seconds otherwise."""
    store.add(*lines([Turn(more={sc.A_FRAMEWORK: "autogen"}), cut(3.0)]))
    reader, asked = store.reader, list[str]()
    reader.connection.set_trace_callback(asked.append)
    cuts(reader, query(*pairs))
    facets(reader, query(*pairs))
    reader.connection.set_trace_callback(None)
    plans = {
        f"{plan[3]}: {text}"
        for text in asked
        if "FROM turns" in text and "u.healed" not in text
        for plan in reader.rows(f"EXPLAIN QUERY PLAN {text}")
        if "TEMP B-TREE" not in plan[3]
    }
    assert plans and [each for each in plans if "COVERING INDEX turn_" not in each] == []


def test_of_many_turns_a_sample_stands_for_all(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    random_ = random.Random(2)
    store.add(*lines([Turn(duration=random_.choice((5.0, 50.0))) for _ in range(2000)]))
    all_of_them = cuts(store.reader, ALL)["duration_well"]
    monkeypatch.setattr(views_cuts, "SAMPLE", 100)
    sample = cuts(store.reader, ALL)["duration_well"]
    assert sum(all_of_them["outcomes"]["completed"]) == 2000
    assert sum(sample["outcomes"]["completed"]) == pytest.approx(2000, rel=0.4)
    assert sample["edges"] == all_of_them["edges"] and sample["outcomes"] != all_of_them["outcomes"]


def test_two_choices_differ_only_where_it_is_no_chance(store: Store) -> None:
    store.add(
        *lines([Turn() for _ in range(100)] + [cut(3.0) for _ in range(60)]),
    )
    better = [span for number in range(500, 600) for span in spans(Turn(), number)]
    store.add(request(better, service="new"))
    found = compare(store.reader, query("service=desk"), query("service=new"))
    lost = found["rows"][0]
    assert (lost["a"], lost["b"], lost["better"], lost["sure"]) == (60 / 160, 0.0, "b", True)
    assert found["a"]["first_chunk"]["edges"] == found["b"]["first_chunk"]["edges"]
    same = compare(store.reader, query("service=desk"), query("service=desk"))
    assert [row for row in same["rows"] if row["sure"] or row["better"]] == []


def test_hostile_names_are_kept_as_text(store: Store) -> None:
    store.add(*lines([Turn(host=HOSTILE, more={sc.A_NAME: HOSTILE})], service=HOSTILE))
    [turn] = turn_list(store.reader, ALL)["turns"]
    assert turn["service"] == turn["name"] == HOSTILE[:200]
    assert turn_list(store.reader, query(f"service={HOSTILE[:200]}"))["turns"] == [turn]


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = Store(tmp_path_factory.mktemp("shared"))
    yield made
    made.close()


@given(name=st.sampled_from(["traceId", "spanId", "attributes", "startTimeUnixNano", "name", "links", "x"]), value=ANY)
@settings(max_examples=60)
def test_whatever_a_span_contains_it_is_stored_or_refused(shared: Store, name: str, value: Any) -> None:
    document = json.loads(request(list(spans(Turn(), 1))))
    document["resourceSpans"][0]["scopeSpans"][0]["spans"].append({**next(spans(Turn(), 2)), name: value})
    document["resourceSpans"][0]["resource"]["attributes"].append(value)
    received = orjson.loads(json.dumps(document))
    assert shared.writer.write([Batch.of(received)]) in (0, 1)
    assert cuts(shared.reader, ALL)["turns"] >= 1 and turn_list(shared.reader, ALL)["turns"]


def test_a_stream_whose_span_was_not_sampled_is_known_by_its_events(store: Store) -> None:
    ids = ("ab" * 16, "cd" * 8)
    began = BEGINNING
    store.add(event(sc.E_START, *ids, began, layer="agent", name="helper"))
    assert now(store.reader, [], filtering.Filters())["open"] == [], "it began too long ago"
    end: dict[str, Any] = {"layer": "agent", "name": "helper", "outcome": "timeout", "ended_by": "http_client"}
    store.add(
        event(
            sc.E_END, *ids, began + 9 * 10**9, **end, silence=5.0, early=True, fault=True, origin=True, outermost=True
        )
    )
    [turn] = turn_list(store.reader, ALL)["turns"]
    assert (turn["outcome"], turn["duration"], turn["trace"]) == ("timeout", 9.0, ids[0])


def test_an_end_that_is_told_again_later_is_one_event(store: Store) -> None:
    ids = ("ab" * 16, "cd" * 8)
    end: dict[str, Any] = {"layer": "agent", "name": "helper", "outcome": "killed", "ended_by": "process"}
    for again in range(3):
        store.add(event(sc.E_END, *ids, BEGINNING + again, **end, early=True, outermost=True))
    assert store.reader.rows("SELECT count(*) FROM events") == [(1,)]


def test_an_open_stream_goes_when_its_span_comes(store: Store) -> None:
    *_, span = spans(Turn(), 5)
    at = time.time_ns()
    ids = (span["traceId"], span["spanId"])
    store.add(event(sc.E_START, *ids, at, layer="agent", name="helper"))
    waiting: dict[str, Any] = {"waiting_on.type": "http", "waiting_on.name": "models.example", "silence": 10.0}
    store.add(event(sc.E_STALL, *ids, at, layer="agent", name="helper", **waiting))
    [opened] = now(store.reader, [], filtering.Filters())["open"]
    assert opened["stalled"] and opened["waiting_on"] == "http models.example"
    store.add(request([span]))
    assert now(store.reader, [], filtering.Filters())["open"] == []


def test_what_is_too_much_goes_the_oldest_first(store: Store) -> None:
    for number in range(40):
        parts = [span for each in range(100) for span in spans(Turn(), 1000 * number + each)]
        store.add(request(parts))
    keeper = Keeper(store.writer.connection, Bounds(size=3 * 2**20), store.writer.forget)
    before = keeper.size()
    assert before > 4 * 2**20 and keeper.keep(lambda: False)
    assert keeper.size() <= 3 * 2**20
    left = {trace.hex() for (trace,) in store.reader.rows("SELECT trace FROM turns")}
    batches = [{f"{1000 * number + each + 1:032x}" for each in range(100)} for number in range(40)]
    assert not left & batches[0] and left >= batches[-1]
    assert cuts(store.reader, ALL)["turns"] == len(left)


def test_what_is_too_old_goes(store: Store) -> None:
    store.add(*lines([Turn() for _ in range(9)]))
    keeper = Keeper(store.writer.connection, Bounds(age=0.0), store.writer.forget)
    assert keeper.keep(lambda: False)
    assert cuts(store.reader, ALL)["turns"] == 0


def test_labels_that_no_row_has_any_more_go(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    keeper = Keeper(store.writer.connection, Bounds(size=2**20), store.writer.forget)
    monkeypatch.setattr(keeping, "_LABELS", 100)
    for number in range(8):
        names = [Turn(more={sc.A_NAME: f"{number}-{each}-{'x' * 190}"}) for each in range(300)]
        parts = [span for each, turn in enumerate(names) for span in spans(turn, 1000 * number + each)]
        store.add(request(parts))
    keeper.keep(lambda: False)
    ((labels,),) = store.reader.rows("SELECT count(*) FROM texts")
    turns = turn_list(store.reader, ALL, limit=500)["turns"]
    assert len(turns) <= labels < 1000 and all(each["name"].endswith("x") and each["agents"] for each in turns)
    store.add(*lines([Turn(host="after.example")]))
    assert [each["value"] for each in facets(store.reader, query("host=after.example"))["agent"]] == ["support_agent"]


def test_the_server_does_without_polars() -> None:
    """The findings have a process of their own."""
    code = "import sys, autogen_streamtrace.commands.ui.serving; print('polars' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=50, check=True)
    assert done.stdout == "False\n"


def test_a_damaged_store_is_set_aside_and_a_new_one_begins(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "store"
    with held(folder) as file:
        file.write_bytes(b"no database" * 999)
    with held(folder) as file:
        writer = Writer(file)
        writer.write([Batch.of(json.loads(each)) for each in lines([Turn()])])
        writer.close()
        reader = Reader(file)
        assert cuts(reader, ALL)["turns"] == 1
        reader.close()
    [aside] = folder.glob(f"{FILE}.*.aside")
    assert aside.read_bytes().startswith(b"no database") and "cannot be read" in caplog.text


def test_nothing_of_a_batch_is_stored_when_it_fails(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from autogen_streamtrace.commands.store import writing

    def fails(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(writing._Writing, "turns", fails)
    with pytest.raises(sqlite3.OperationalError):
        store.add(*lines([Turn(host="new.example")]))
    monkeypatch.undo()
    assert cuts(store.reader, ALL)["turns"] == 0
    store.add(*lines([Turn(host="new.example")]))
    assert [each["value"] for each in facets(store.reader, ALL)["host"]] == ["new.example"]
