"""What finish reasons mean: the table that ships, and one of the user's."""

from pathlib import Path
from typing import Final

import pytest

from autogen_streamtrace.core.evidence.body.finish_reasons import BUILTIN, FinishReasonsError, load, with_own

SHIPPED: Final = load()


@pytest.mark.parametrize(
    ("meaning", "words"),
    [
        ("done", "stop end_turn stop_sequence tool_calls tool_use function_call pause_turn eos eos_token COMPLETE"),
        ("length", "length max_tokens model_length model_context_window_exceeded MAX_TOKENS"),
        ("filtered", "content_filter refusal SAFETY RECITATION PROHIBITED_CONTENT BLOCKLIST guardrail_intervened"),
        ("failed", "abort error insufficient_system_resource network_error MALFORMED_FUNCTION_CALL"),
    ],
)
def test_each_word_of_the_contract_has_its_meaning_in_any_case(meaning: str, words: str) -> None:
    for word in words.split():
        assert {SHIPPED.meaning(each) for each in (word, word.upper(), word.lower(), word.title())} == {meaning}, word


def test_a_word_in_no_table_is_unknown_and_no_word_means_nothing() -> None:
    assert SHIPPED.meaning("gave_up") == "unknown"
    assert SHIPPED.meaning(None) is None


def test_no_word_that_ships_means_two_things() -> None:
    listed = [line for line in BUILTIN.read_text().splitlines() if not line.startswith("#")]
    words = [word.strip(' "').casefold() for line in listed for word in line.split(",") if '"' in word]
    assert len(words) == len(set(words))


def test_a_users_file_goes_before_the_table_that_ships(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('failed = ["gave_up", "STOP"]')
    reasons = load(own)
    assert (reasons.meaning("Gave_Up"), reasons.meaning("stop"), reasons.meaning("eos")) == ("failed", "failed", "done")


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ('good = ["x"]', "there is no meaning 'good'; known: done, length, filtered, failed"),
        ('done = "x"', "done = 'x' is not allowed; allowed: a list of words"),
        ("done = [1]", r"done = \[1\] is not allowed; allowed: a list of words"),
        ("done = [", "own.toml"),
    ],
)
def test_a_wrong_file_is_an_error_that_names_it_and_what_is_allowed(tmp_path: Path, text: str, named: str) -> None:
    own = tmp_path / "own.toml"
    own.write_text(text)
    with pytest.raises(FinishReasonsError, match=named):
        load(own)


def test_a_file_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(FinishReasonsError, match=r"absent\.toml"):
        load(tmp_path / "absent.toml")


def test_the_words_of_a_users_own_make_the_same_table_again(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text('failed = ["Gave_Up", "STOP", "error"]')
    words = load(own).own
    assert words == {"gave_up": "failed", "stop": "failed"}
    again = with_own(words)
    assert [again.meaning(word) for word in ("gave_up", "stop", "eos")] == ["failed", "failed", "done"]
    assert with_own({}).meaning("gave_up") == "unknown"
