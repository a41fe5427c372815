"""The message that wakes somebody, as Slack, PagerDuty and a mailbox get it from a real Alertmanager."""

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Final

import pytest

from .alertmanager import BINARY, QUERY, Alertmanager, Inbox, inbox
from .server import eventually

pytestmark = [
    pytest.mark.timeout(90),
    pytest.mark.skipif(BINARY is None, reason="not installed: Alertmanager (Debian's prometheus-alertmanager)"),
]

CAUSE: Final = {
    "alertname": "StreamFaultsOfOneCause1H",
    "job": "claims",
    "deployment_environment_name": "production",
    "scope": "origin",
    "severity": "page",
    "streamtrace_layer": "http",
    "streamtrace_outcome": "disconnected",
    "streamtrace_ended_by": "upstream",
    "streamtrace_cause_type": "httpx2.RemoteProtocolError",
    "streamtrace_limit_id": "nginx.proxy_read_timeout",
}
TURNS: Final = {**{name: CAUSE[name] for name in ("job", "deployment_environment_name")}, "scope": "turns"}
RUNBOOK: Final = "https://docs.example/runbooks/disconnected/"
ANNOTATIONS: Final = {
    "summary": "claims (production): <http> streams end as disconnected, by upstream, "
    "cause httpx2.RemoteProtocolError, limit nginx.proxy_read_timeout; 50% of all turns within 1h",
    "description": "Why.",
    "runbook_url": RUNBOOK,
}


@pytest.fixture
def received() -> Iterator[Inbox]:
    with inbox() as found:
        yield found


@pytest.fixture
def alertmanager(tmp_path: Path, received: Inbox) -> Iterator[Alertmanager]:
    with Alertmanager(tmp_path / "alertmanager", received) as running:
        yield running


def test_slack_gets_a_page_with_layer_cause_limit_and_runbook(alertmanager: Alertmanager, received: Inbox) -> None:
    alertmanager.alert(CAUSE, ANNOTATIONS)
    (message,) = eventually(lambda: received.slack, what="a message")[0]["attachments"]
    assert message["title"] == "[FIRING 1] StreamFaultsOfOneCause1H: claims (production)"
    assert message["title_link"] == RUNBOOK
    what, why, where = message["text"].splitlines()[:3]
    assert (what, why) == (ANNOTATIONS["summary"].replace("<http>", "&lt;http&gt;"), "Why.")
    assert where.startswith(f"<{RUNBOOK}|Runbook> · <{QUERY}|Query> · since 20")
    assert message["fallback"] == ANNOTATIONS["summary"]


def test_pagerduty_gets_a_page_with_layer_cause_limit_and_runbook(alertmanager: Alertmanager, received: Inbox) -> None:
    alertmanager.alert(CAUSE, ANNOTATIONS)
    event = eventually(lambda: received.pagerduty, what="an event")[0]
    assert event["payload"]["summary"] == ANNOTATIONS["summary"]
    assert event["payload"]["severity"] == "critical"
    details = event["payload"]["custom_details"]
    assert [details[name] for name in ("layer", "outcome", "cause", "limit")] == [
        *("http", "disconnected", "httpx2.RemoteProtocolError", "nginx.proxy_read_timeout")
    ]
    assert event["links"] == [{"href": RUNBOOK, "text": "Runbook"}, {"href": QUERY, "text": "Query"}]


def test_two_causes_at_once_are_told_one_by_one(alertmanager: Alertmanager, received: Inbox) -> None:
    limits = ("nginx.proxy_read_timeout", "aws.alb.idle_timeout")
    for limit in limits:
        summary = ANNOTATIONS["summary"].replace(limits[0], limit)
        alertmanager.alert({**CAUSE, "streamtrace_limit_id": limit}, {**ANNOTATIONS, "summary": summary})
    both = "; 50% of all turns within 1h (2 such alerts)"
    (event,) = eventually(
        lambda: [each for each in received.pagerduty if each["payload"]["summary"].endswith(both)],
        what="the event of both",
    )[:1]
    details = event["payload"]["custom_details"]
    assert (details["layer"], details["limit"]) == ("http", "see the text")
    assert all(f"limit {limit};" in details["text"] for limit in limits)


def test_an_alert_on_log_events_names_its_service(alertmanager: Alertmanager, received: Inbox) -> None:
    labels = {"alertname": "EventLoopBlocked", "severity": "page", "scope": "origin"}
    for service in ("claims", "quotes"):
        alertmanager.alert({**labels, "service_name": service}, ANNOTATIONS)
    eventually(lambda: len(received.slack) > 1, what="a message for each service")
    told = [message["attachments"][0] for message in received.slack]
    assert sorted(each["title"] for each in told) == [
        f"[FIRING 1] EventLoopBlocked: {it}" for it in ("claims", "quotes")
    ]


def test_the_end_is_told_with_its_time(alertmanager: Alertmanager, received: Inbox) -> None:
    alertmanager.alert(CAUSE, ANNOTATIONS)
    eventually(lambda: received.slack, what="the beginning")
    alertmanager.alert(CAUSE, ANNOTATIONS, endsAt=datetime.now(timezone.utc).isoformat())
    (end,) = eventually(lambda: received.slack[1:], what="the end")[0]["attachments"]
    assert end["title"].startswith("[RESOLVED] ") and ", until 20" in end["text"]


def test_a_mailbox_gets_a_ticket_in_which_a_name_is_no_markup(alertmanager: Alertmanager, received: Inbox) -> None:
    alertmanager.alert({**CAUSE, "severity": "ticket"}, ANNOTATIONS)
    mail = eventually(lambda: received.mails, what="a mail")[0]
    plain, page = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert mail["Subject"] == "[FIRING 1] StreamFaultsOfOneCause1H: claims (production)"
    assert plain is not None and plain.get_content().startswith(ANNOTATIONS["summary"])
    assert page is not None and f'<a href="{RUNBOOK}">' in page.get_content()
    assert "&lt;http&gt;" in page.get_content() and "<http>" not in page.get_content()


def test_the_origins_alert_keeps_back_that_of_the_turns(alertmanager: Alertmanager, received: Inbox) -> None:
    alertmanager.alert(CAUSE, ANNOTATIONS)
    eventually(lambda: received.slack, what="the origin's message")
    alertmanager.alert({**TURNS, "alertname": "TurnFaultsBurnBudget1H", "severity": "page"}, ANNOTATIONS)
    eventually(lambda: "TurnFaultsBurnBudget1H" in alertmanager.inhibited(), what="the inhibition")
    elsewhere = {**TURNS, "job": "other", "alertname": "TurnFaultsBurnBudget1H", "severity": "page"}
    alertmanager.alert(elsewhere, ANNOTATIONS)
    eventually(lambda: len(received.slack) > 1, what="the other job's message")
    assert [message["attachments"][0]["title"].split()[-2:] for message in received.slack] == [
        ["claims", "(production)"],
        ["other", "(production)"],
    ]
