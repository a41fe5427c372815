"""Settings: keyword, else environment, else default; a wrong one says what is allowed."""

import logging
from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import pytest

from autogen_streamtrace import settings as settings_module
from autogen_streamtrace.settings import SettingError, Settings, load

pytestmark = pytest.mark.once  # the same on every event loop and openai family


def test_defaults_hold_where_nothing_is_set() -> None:
    settings = load()
    assert (settings.events, settings.caller_endings, settings.max_names) == ("turns", "unset", 100)


def test_a_keyword_is_taken() -> None:
    assert load(events="all").events == "all"


def test_a_variable_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGEN_STREAMTRACE_MAX_NAMES", "7")
    assert load().max_names == 7


@pytest.mark.parametrize(
    ("name", "given", "taken"),
    [
        ("recorder", "false", False),
        ("recorder", "ON", True),
        ("recorder", 0, False),
        ("stall_after", "2.5", 2.5),
        ("max_names", "7", 7),
        ("recorder_dir", "/tmp/x", Path("/tmp/x")),
        ("recorder_dir", Path("/tmp/x"), Path("/tmp/x")),
        ("limits_file", "", None),
    ],
)
def test_a_value_is_taken_in_the_setting_s_own_type(name: str, given: object, taken: object) -> None:
    found = getattr(load(**{name: given}), name)
    assert found == taken and type(found) is type(taken)


def test_every_setting_says_what_is_allowed() -> None:
    assert {each.name for each in fields(Settings)} == set(settings_module._READERS)


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        (("tenant", "plan"), {"tenant": (), "plan": ()}),
        ("tenant, plan", {"tenant": (), "plan": ()}),
        ('["tenant"]', {"tenant": ()}),
        ({"tenant": ["acme"]}, {"tenant": ("acme",)}),
        ('{"tenant": ["acme"]}', {"tenant": ("acme",)}),
    ],
)
def test_baggage_is_names_or_names_with_their_values(given: Any, taken: dict[str, tuple[str, ...]]) -> None:
    assert load(baggage=given).baggage == taken


def test_baggage_is_taken_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGEN_STREAMTRACE_BAGGAGE", "tenant,plan")
    assert load().baggage == {"tenant": (), "plan": ()}


def test_a_keyword_wins_over_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGEN_STREAMTRACE_EVENTS", "none")
    assert load(events="all").events == "all"


def test_a_keyword_wins_over_a_wrong_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGEN_STREAMTRACE_EVENTS", "nonsense")
    assert load(events="all").events == "all"


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGEN_STREAMTRACE_EVENTS", "")
    assert load().events == "turns"


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"events": "some"}, ["'events'", "'some'", "'turns', 'all', 'none'"]),
        ({"caller_endings": None}, ["'caller_endings'", "None", "'unset', 'error'"]),
        ({"max_names": 0}, ["'max_names'", "0", "from 1 to 1000"]),
        ({"max_names": 1001}, ["'max_names'", "1001", "from 1 to 1000"]),
        ({"max_names": "many"}, ["'max_names'", "'many'", "from 1 to 1000"]),
        ({"max_names": 7.5}, ["'max_names'", "7.5", "from 1 to 1000"]),
        ({"max_names": True}, ["'max_names'", "True", "from 1 to 1000"]),
        ({"recorder": "perhaps"}, ["'recorder'", "'perhaps'", "true, false"]),
        ({"recorder": []}, ["'recorder'", "[]", "true, false"]),
        ({"stall_after": float("inf")}, ["'stall_after'", "inf", "a finite number above 0"]),
        ({"stall_after": "nan"}, ["'stall_after'", "'nan'", "a finite number above 0"]),
        ({"recorder_dir": 7}, ["'recorder_dir'", "7", "a path, as str or pathlib.Path"]),
        ({"baggage": {"tenant": "acme"}}, ["'baggage'", "'acme'", "names of baggage entries"]),
        ({"baggage": {"tenant": [7]}}, ["'baggage'", "[7]", "names of baggage entries"]),
        ({"baggage": 7}, ["'baggage'", "7", "names of baggage entries"]),
        ({"baggage": "{tenant"}, ["'baggage'", "'{tenant'", "names of baggage entries"]),
    ],
)
def test_a_wrong_keyword_is_an_error_with_name_value_and_what_is_allowed(
    keywords: dict[str, Any], words: list[str]
) -> None:
    with pytest.raises(SettingError) as raised:
        load(**keywords)
    message = str(raised.value)
    assert [word for word in words if word not in message] == []
    assert "AUTOGEN_STREAMTRACE" not in message


def test_a_wrong_variable_is_an_error_that_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGEN_STREAMTRACE_MAX_NAMES", "2000")
    with pytest.raises(SettingError, match=r"'max_names'.*AUTOGEN_STREAMTRACE_MAX_NAMES.*'2000'.*from 1 to 1000"):
        load()


def test_two_wrong_settings_are_both_named() -> None:
    with pytest.raises(SettingError, match=r"'events'.*'max_names'"):
        load(events="some", max_names=0)


def test_an_unknown_keyword_is_an_error_with_the_known_ones_and_the_closest() -> None:
    with pytest.raises(SettingError, match=r"'event'.*'events'.*caller_endings, events, finish_reasons_file"):
        load(event="all")


def test_an_unknown_keyword_like_no_other_is_an_error_with_the_known_ones() -> None:
    with pytest.raises(
        SettingError,
        match=r"'zzz'\. Known: baggage, caller_endings, events, finish_reasons_file",
    ):
        load(zzz=1)


def test_an_unknown_variable_is_one_warning_with_the_known_ones(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("AUTOGEN_STREAMTRACE_EVENT", "all")
    monkeypatch.setenv("AUTOGEN_STREAMTRACE_NAMES", "7")
    with caplog.at_level(logging.WARNING):
        assert load().events == "turns"
    (record,) = caplog.records
    for name in ("AUTOGEN_STREAMTRACE_EVENT,", "AUTOGEN_STREAMTRACE_NAMES", "AUTOGEN_STREAMTRACE_MAX_NAMES"):
        assert name in record.getMessage()


def test_known_variables_warn_of_nothing(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("AUTOGEN_STREAMTRACE_EVENTS", "all")
    load()
    assert caplog.records == []


def test_settings_do_not_change() -> None:
    settings = load()
    with pytest.raises(FrozenInstanceError):
        settings.events = "all"  # type: ignore[misc]
