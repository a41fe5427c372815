"""`diagnose` on mixtures of known causes names these, and no others."""

import random
from collections.abc import Callable, Iterable
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner
from synthetic import Turn, cut, request, spans, whole, write

from autogen_streamtrace.cli import app
from autogen_streamtrace.commands.diagnose.clusters import clusters
from autogen_streamtrace.commands.diagnose.findings import Diagnosis, Finding, diagnose
from autogen_streamtrace.commands.reading import files
from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.limits import KnownLimit, LimitMatcher, builtin

pytestmark = pytest.mark.once

SEEDS = range(4)
NGINX = "nginx.proxy_read_timeout"
ALB = "aws_alb.idle_timeout"
CLOUD_RUN = "google_cloud_run.request_timeout"


def diagnosis(tmp_path: Path, turns: Iterable[Turn], *own: KnownLimit) -> Diagnosis:
    source = write(tmp_path / "spans.jsonl", turns)
    return diagnose(files.read([source]).table, LimitMatcher((*own, *builtin())))


def named(found: Diagnosis) -> dict[str, int]:
    """Ids of the limits that are named, and how many streams each ended."""
    return {finding.limit: finding.streams for finding in found.findings if finding.limit}


def timed(found: Diagnosis) -> list[Finding]:
    """The findings that say a time."""
    return [finding for finding in found.findings if finding.seconds is not None]


def late(seconds: float, random_: random.Random) -> float:
    """What a limit of ``seconds`` is measured as."""
    return seconds + abs(random_.gauss(0.03, 0.05))


def at_nginx(random_: random.Random, count: int) -> list[Turn]:
    return [
        cut(late(60, random_), intermediary="nginx", duration=60 + random_.lognormvariate(2, 0.6)) for _ in range(count)
    ]


def at_cloud_run(random_: random.Random, count: int) -> list[Turn]:
    return [
        cut(random_.expovariate(4), intermediary="google_front_end", duration=late(300, random_)) for _ in range(count)
    ]


def at_no_header(random_: random.Random, seconds: float, count: int) -> list[Turn]:
    return [cut(late(seconds, random_), duration=seconds + random_.lognormvariate(2, 0.6)) for _ in range(count)]


def noise(random_: random.Random, count: int) -> list[Turn]:
    """Connections that are lost at any time, after any silence."""
    return [
        cut(
            random_.choice([random_.expovariate(2), random_.uniform(0, 130)]),
            intermediary=random_.choice(["", "nginx", "google_front_end"]),
            duration=random_.uniform(1, 400),
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_three_limits_at_once_are_all_found(tmp_path: Path, seed: int) -> None:
    random_ = random.Random(seed)
    turns = [*whole(900, random_), *at_nginx(random_, 60), *at_cloud_run(random_, 30), *at_no_header(random_, 230, 15)]
    found = diagnosis(tmp_path, turns)
    said = [(each.limit, each.kind, each.seconds, each.streams) for each in found.findings]
    assert said == [(NGINX, "silence", 60, 60), (CLOUD_RUN, "duration", 300, 30), ("", "silence", 230, 15)]


@pytest.mark.parametrize("seed", SEEDS)
def test_noise_alone_is_put_to_no_limit(tmp_path: Path, seed: int) -> None:
    random_ = random.Random(seed)
    assert timed(diagnosis(tmp_path, [*whole(500, random_), *noise(random_, 400)])) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_limit_is_found_in_noise_and_nothing_else_is(tmp_path: Path, seed: int) -> None:
    random_ = random.Random(seed)
    found = diagnosis(tmp_path, [*whole(500, random_), *noise(random_, 300), *at_nginx(random_, 40)])
    assert set(named(found)) == {NGINX}
    assert len(timed(found)) == 1
    assert 40 <= named(found)[NGINX] <= 46


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.9])
def test_a_limit_is_named_whether_it_cuts_few_or_most(tmp_path: Path, share: float) -> None:
    random_ = random.Random(7)
    count = round(1000 * share)
    found = diagnosis(tmp_path, [*whole(1000 - count, random_), *at_nginx(random_, count)])
    assert named(found) == {NGINX: count}
    assert found.lost == count and found.turns == 1000
    assert f"({share:.1%})" in found.summary


def test_where_nothing_names_who_it_is_nobody_is_named(tmp_path: Path) -> None:
    (finding,) = diagnosis(tmp_path, at_no_header(random.Random(7), 60, 25)).findings
    assert (finding.kind, finding.seconds, finding.party, finding.limit) == ("silence", 60, "", "")
    assert {ALB, "haproxy.timeout_server"} & set(finding.others) == {ALB}
    assert any("a guess from the number alone" in each for each in finding.evidence)
    assert not any(each.vendor in finding.title for each in builtin())


def test_what_the_headers_name_is_told_with_its_setting_at_a_value_of_its_own(tmp_path: Path) -> None:
    random_ = random.Random(7)
    (finding,) = diagnosis(tmp_path, [cut(late(45, random_), intermediary="nginx") for _ in range(25)]).findings
    assert finding.title == (
        "nginx, 45 s after their last byte: its proxy_read_timeout (60 s by default) seems to be set to 45 s"
    )
    assert (finding.party, finding.setting, finding.sure) == (
        "nginx, or what stands next to it",
        "proxy_read_timeout",
        "very likely",
    )


def test_a_limit_that_is_named_but_counts_something_else_is_not_told(tmp_path: Path) -> None:
    random_ = random.Random(7)
    turns = [cut(random_.expovariate(5), intermediary="nginx", duration=late(60, random_)) for _ in range(25)]
    (finding,) = diagnosis(tmp_path, turns).findings
    assert (finding.kind, finding.seconds, finding.limit) == ("duration", 60, "")


def test_silences_that_good_streams_outlast_are_no_limit(tmp_path: Path) -> None:
    random_ = random.Random(7)
    good = [Turn(duration=200.0, more={sc.A_LONGEST_GAP: random_.uniform(50, 90)}) for _ in range(40)]
    assert timed(diagnosis(tmp_path, [*good, *at_no_header(random_, 30, 20)])) == []


def test_a_users_own_limit_is_named(tmp_path: Path) -> None:
    own = KnownLimit(
        "gateway.idle", "our gateway", "idle", "silence", "idle: 600", seconds=45.0, outcomes=(sc.DISCONNECTED,)
    )
    found = diagnosis(tmp_path, at_no_header(random.Random(7), 45, 25), own)
    assert named(found) == {"gateway.idle": 25}


def test_four_streams_are_too_few_to_say(tmp_path: Path) -> None:
    (finding,) = diagnosis(tmp_path, at_nginx(random.Random(7), 4)).findings
    assert finding.sure == "too few to say" and not finding.limit
    assert f"it fits {NGINX}" in finding.evidence


def test_a_limit_that_the_process_itself_set_is_certain(tmp_path: Path) -> None:
    turns = [
        cut(2.0, outcome=sc.TIMEOUT, cause="httpx2.ReadTimeout", limit=("http_client.read_timeout", 2.0, sc.CONFIGURED))
    ]
    (finding,) = diagnosis(tmp_path, turns * 3).findings
    assert finding.limit == "http_client.read_timeout" and finding.sure == "certain" and finding.seconds == 2.0


def test_a_504_before_the_first_byte_is_the_same_limit(tmp_path: Path) -> None:
    random_ = random.Random(7)
    refused = [
        cut(late(60, random_), outcome=sc.REJECTED, status=504, intermediary="nginx", first=None, duration=60.0)
        for _ in range(20)
    ]
    (finding,) = diagnosis(tmp_path, [*refused, *at_nginx(random_, 20)]).findings
    assert (finding.limit, finding.kind, finding.streams) == (NGINX, "silence", 40)


def test_refusals_alone_are_a_limit_of_the_first_byte(tmp_path: Path) -> None:
    random_ = random.Random(7)
    refused = [
        cut(0.0, outcome=sc.REJECTED, status=504, intermediary="nginx", first=None, duration=late(20, random_))
        for _ in range(20)
    ]
    (finding,) = diagnosis(tmp_path, refused).findings
    assert (finding.limit, finding.kind, finding.seconds, finding.party) == (NGINX, "first_byte", 20, "nginx")


def test_an_ending_that_a_retry_healed_loses_no_turn(tmp_path: Path) -> None:
    refused = next(spans(cut(0.1, outcome=sc.REJECTED, status=503, more={sc.A_OUTERMOST: False}), 0))
    source = tmp_path / "spans.jsonl"
    source.write_text(request([{**refused, "spanId": "00000000000000ff"}, *spans(Turn(), 0)]), encoding="utf-8")
    found = diagnose(files.read([str(source)]).table, LimitMatcher(builtin()))
    assert (found.lost, found.healed) == (0, 1)
    assert [(finding.streams, finding.lost) for finding in found.findings] == [(1, 0)]


def test_many_small_causes_are_told_from_a_large_one(tmp_path: Path) -> None:
    random_ = random.Random(7)
    small = [
        cut(0.1, outcome=sc.REJECTED, status=status, host=f"{host}.example", ended_by=sc.UPSTREAM)
        for status in (401, 429, 500)
        for host in "abc"
        for _ in range(6)
    ]
    assert "No single cause: of 9 causes the largest" in diagnosis(tmp_path, small).summary
    assert "One cause makes" in diagnosis(tmp_path, [*small[:10], *at_nginx(random_, 90)]).summary


def test_causes_that_read_alike_name_their_hosts(tmp_path: Path) -> None:
    random_ = random.Random(7)
    turns = [
        cut(60 + random_.uniform(0, 0.2), intermediary="nginx", host=f"{host}.example", at=random_.uniform(0, 86_400))
        for host in "ab"
        for _ in range(30)
    ]
    titles = {finding.title for finding in diagnosis(tmp_path, turns).findings}
    assert {title.rpartition(" ")[2] for title in titles} == {"(a.example)", "(b.example)"}


def test_when_nothing_ended_early_all_is_well(tmp_path: Path) -> None:
    found = diagnosis(tmp_path, whole(50, random.Random(7)))
    assert not found.findings and found.summary.startswith("All is well")


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("spread", ["exponential", "short", "even", "lognormal"])
def test_a_spread_without_a_peak_is_no_cluster(seed: int, spread: str) -> None:
    random_ = random.Random(seed)
    spreads: dict[str, Callable[[], float]] = {
        "exponential": lambda: random_.expovariate(0.2),
        "short": lambda: random_.expovariate(3),
        "even": lambda: random_.uniform(20, 40),
        "lognormal": lambda: random_.lognormvariate(2, 0.6),
    }
    draw = spreads[spread]
    assert clusters([draw() for _ in range(5000)]) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_limits_of_29_and_30_seconds_are_two_clusters(seed: int) -> None:
    random_ = random.Random(seed)
    mixed = [late(29, random_) for _ in range(100)] + [late(30, random_) for _ in range(60)]
    found = clusters([*mixed, *(random_.expovariate(0.05) for _ in range(300))])
    assert [round(cluster.median) for cluster in found] == [29, 30]


def test_both_measures_that_fit_are_told_in_json_text_and_on_the_page(tmp_path: Path) -> None:
    random_ = random.Random(1)
    turns = [cut(late(5, random_), duration=6 + 0.1 * random_.random(), at=60.0 * number) for number in range(25)]
    source, page = write(tmp_path / "spans.jsonl", turns), tmp_path / "page.html"
    said = orjson.loads(CliRunner().invoke(app, ["diagnose", source, "--json"]).output)
    finding = said["findings"][0]
    assert (finding["kind"], finding["seconds"], finding["sure"]) == ("silence", 5.0, "possible")
    assert (finding["alternative"]["kind"], finding["alternative"]["seconds"]) == ("duration", 6.0)
    text = CliRunner().invoke(app, ["diagnose", source, "--html", str(page)]).output
    for shown in (" ".join(text.split()), page.read_text(encoding="utf-8")):
        assert "5 s after their last byte, or 6 s after their start: both fit" in shown
        assert finding["setting"].split()[0] in shown and "If it is their duration" in shown


def test_a_silence_that_good_streams_of_the_host_survived_is_no_limit(tmp_path: Path) -> None:
    random_ = random.Random(1)
    cuts = at_no_header(random_, 20, 25)
    assert [each.seconds for each in timed(diagnosis(tmp_path, cuts))] == [20.0]
    for each in cuts:
        each.more[sc.A_SURVIVED_SILENCE] = 45.0
    assert timed(diagnosis(tmp_path, cuts)) == []
