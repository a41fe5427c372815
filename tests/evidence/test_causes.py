"""What an exception shows: its chain, its root, what kind of ending it means."""

import asyncio
import builtins
import errno
import gc
import json
import ssl
import weakref
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from types import ModuleType, SimpleNamespace
from typing import Any, Final

import pytest
from pydantic import TypeAdapter

from autogen_streamtrace.core.evidence import causes
from autogen_streamtrace.core.evidence.causes import Cause

HTTPX: Final = pytest.importorskip("httpx2" if find_spec("httpx2") else "httpx")
NAME: Final[str] = HTTPX.__name__


def raised(outer: BaseException, *below: BaseException, how: str = "cause") -> BaseException:
    """``outer``, raised over the others, each over the next: ``cause``, ``context`` or ``none`` (suppressed)."""
    chain = (outer, *below)
    for error, lower in pairwise(chain):
        if how == "cause":
            error.__cause__ = lower
        else:
            error.__context__ = lower
            error.__suppress_context__ = how == "none"
    return outer


def read(outer: BaseException, *below: BaseException, how: str = "cause") -> Cause:
    return causes.read(raised(outer, *below, how=how))


def named(name: str, *bases: type[BaseException]) -> Any:
    """An exception class of another package, by its full name."""
    module, _, simple = name.rpartition(".")
    return type(simple, bases or (Exception,), {"__module__": module})


def caught(code: Callable[[], object]) -> BaseException:
    try:
        code()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


@pytest.mark.parametrize("how", ["cause", "context", "none"])
def test_the_chain_goes_down_by_cause_and_by_context_also_a_suppressed_one(how: str) -> None:
    cause = read(KeyError(), OSError(), ConnectionResetError(), how=how)
    assert cause.types == ("KeyError", "OSError", "ConnectionResetError")


def test_a_cause_comes_before_a_context() -> None:
    error = KeyError()
    error.__context__ = OSError()
    error.__cause__ = LookupError()
    assert causes.read(error).types == ("KeyError", "LookupError")


def test_raise_from_none_still_shows_what_it_hides() -> None:
    def code() -> None:
        try:
            raise ConnectionResetError
        except ConnectionResetError:
            raise ValueError from None

    assert causes.read(caught(code)).types == ("ValueError", "ConnectionResetError")


def test_built_in_types_have_no_module_and_others_their_full_name() -> None:
    assert read(ValueError()).types == ("ValueError",)
    assert read(asyncio.CancelledError()).types == ("asyncio.exceptions.CancelledError",)
    assert causes.read(caught(lambda: json.loads("{"))).root == "json.decoder.JSONDecodeError"


def test_a_circle_ends() -> None:
    first, second = KeyError(), OSError()
    first.__cause__, second.__cause__ = second, first
    assert causes.read(first).types == ("KeyError", "OSError")
    assert causes.read(first).links == {causes.read(first).raised, causes.read(second).raised}


def test_a_long_chain_is_cut() -> None:
    cause = read(*(ValueError(number) for number in range(100)))
    assert len(cause.types) == 16
    assert len(cause.links) <= 64


def test_links_reach_causes_and_contexts_alike() -> None:
    outer, left, right = KeyError(), OSError(), LookupError()
    outer.__cause__, outer.__context__ = left, right
    assert causes.read(outer).links == {causes.read(each).raised for each in (outer, left, right)}
    assert len(causes.read(outer).links) == 3


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_the_sdks_connection_and_timeout_errors_are_wrappers(sdk: str) -> None:
    lost = read(named(f"{sdk}.APIConnectionError")(), named(f"{NAME}.ReadError")(), ConnectionResetError())
    assert (lost.root, lost.kind) == (f"{NAME}.ReadError", "lost")
    late = read(named(f"{sdk}.APITimeoutError")(), named(f"{NAME}.ReadTimeout")())
    assert (late.root, late.kind, late.timer) == (f"{NAME}.ReadTimeout", "timeout", "read")


def test_a_wrapper_with_nothing_below_is_the_root_itself() -> None:
    cause = read(named("openai.APIConnectionError")())
    assert (cause.root, cause.kind) == ("openai.APIConnectionError", "lost")


def test_an_sdks_other_errors_are_no_wrappers() -> None:
    error = named("openai.RateLimitError", named("openai.APIError"))
    assert read(error(), OSError()).root == "openai.RateLimitError"
    assert read(error(), OSError()).kind == "rejected"


@pytest.mark.parametrize("client", ["httpx", "httpx2", "httpcore", "httpcore2"])
@pytest.mark.parametrize("timer", ["connect", "read", "write", "pool"])
def test_each_timer_of_an_http_client_is_known(client: str, timer: str) -> None:
    cause = read(named(f"{client}.{timer.title()}Timeout")())
    assert (cause.kind, cause.timer) == ("timeout", timer)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("ReadTimeout", "timeout"),
        ("ConnectTimeout", "timeout"),
        ("PoolTimeout", "timeout"),
        ("ConnectError", "lost"),
        ("ReadError", "lost"),
        ("WriteError", "lost"),
        ("CloseError", "lost"),
        ("ProxyError", "lost"),
        ("RemoteProtocolError", "lost"),
        ("DecodingError", "malformed"),
        ("LocalProtocolError", "other"),
        ("UnsupportedProtocol", "other"),
    ],
)
def test_the_installed_http_clients_own_errors_are_known_by_their_real_names(error: str, kind: str) -> None:
    assert read(getattr(HTTPX, error)("")).kind == kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (asyncio.CancelledError(), "cancelled"),
        (GeneratorExit(), "closed"),
        (caught(lambda: json.loads("{")), "malformed"),
        (caught(lambda: b"\xff".decode()), "malformed"),
        (ConnectionResetError(), "socket"),
        (TimeoutError(), "late"),
        (asyncio.TimeoutError(), "late"),
        (TimeoutError(errno.ETIMEDOUT, "Connection timed out"), "socket"),
        (ssl.SSLError(), "socket"),
        (KeyboardInterrupt(), "other"),
        (named("ollama._types.ResponseError")(), "rejected"),
        (named("openai.APIResponseValidationError", named("openai.APIError"))(), "malformed"),
        (caught(lambda: TypeAdapter(int).validate_python("x")), "unusable"),
    ],
)
def test_the_kind_of_an_exception(error: BaseException, kind: str) -> None:
    assert causes.read(error).kind == kind


def test_a_subclass_means_what_its_nearest_known_base_means() -> None:
    assert read(type("Mine", (HTTPX.ReadTimeout,), {})("")).kind == "timeout"
    assert read(type("Mine", (json.JSONDecodeError,), {})("", "", 0)).kind == "malformed"


def test_the_kind_is_that_of_the_root_and_not_of_what_lies_below_it() -> None:
    assert read(ValueError(), HTTPX.ReadTimeout("")).kind == "other"


@pytest.mark.parametrize("error", [TimeoutError(), asyncio.TimeoutError(), type("Mine", (TimeoutError,), {})()])
def test_a_plain_timeout_error_may_be_a_deadlines(error: BaseException) -> None:
    assert causes.read(error).deadline


@pytest.mark.parametrize("error", [HTTPX.ReadTimeout(""), OSError(), asyncio.CancelledError()])
def test_an_http_clients_timer_is_no_deadline(error: BaseException) -> None:
    assert not causes.read(error).deadline


def test_the_status_is_the_first_one_in_the_chain() -> None:
    class RefusedError(Exception):
        status_code = 429

    assert read(RefusedError()).status == 429
    assert read(KeyError(), RefusedError()).status == 429
    assert read(KeyError()).status is None


def test_the_status_may_be_that_of_the_errors_response() -> None:
    response = HTTPX.Response(503, request=HTTPX.Request("GET", "http://localhost/"))
    assert causes.read(caught(response.raise_for_status)).status == 503


def test_a_status_that_is_no_number_is_none() -> None:
    error = KeyError()
    error.status_code = "429"  # type: ignore[attr-defined]
    assert causes.read(error).status is None


def test_what_autogen_flattened_is_recognised_by_its_text() -> None:
    text = "ReadTimeout: too late: by far\nTraceback:\nTraceback (most recent call last):\n ..."
    cause = read(RuntimeError(text))
    assert (cause.flattened, cause.root) == ("ReadTimeout", "RuntimeError")


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("ReadTimeout: too late"),
        RuntimeError("it went wrong: \nTraceback:\n"),
        RuntimeError("\nTraceback:\n"),
        RuntimeError(),
        RuntimeError(17),
        type("Mine", (RuntimeError,), {})("ReadTimeout: x\nTraceback:\n"),
        ValueError("ReadTimeout: x\nTraceback:\n"),
    ],
)
def test_other_errors_are_not_flattened_ones(error: BaseException) -> None:
    assert causes.read(error).flattened == ""


def test_a_flattened_error_is_a_wrapper_of_what_lies_below_it() -> None:
    assert read(RuntimeError("ReadTimeout: x\nTraceback:\n"), OSError()).root == "OSError"


GROUP: Final[Any] = getattr(builtins, "ExceptionGroup", None) or import_module("exceptiongroup").ExceptionGroup


def test_a_task_groups_exception_is_a_wrapper_of_what_happened_in_it() -> None:
    cause = causes.read(GROUP("unhandled", [GROUP("inner", [HTTPX.ReadTimeout("")])]))
    assert (cause.root, cause.kind, cause.timer) == (f"{NAME}.ReadTimeout", "timeout", "read")
    assert [name.rpartition(".")[2] for name in cause.types] == ["ExceptionGroup", "ExceptionGroup", "ReadTimeout"]


def test_of_several_exceptions_in_a_group_the_first_is_the_root_and_each_is_reached() -> None:
    first, second = KeyError(), ValueError()
    cause = causes.read(GROUP("unhandled", [first, second]))
    assert cause.root == "KeyError"
    assert {causes.read(first).raised, causes.read(second).raised} <= cause.links


def test_reading_keeps_no_exception() -> None:
    error = type("Mine", (ValueError,), {})()
    gone = weakref.ref(error)
    cause = causes.read(error)
    del error
    gc.collect()
    assert gone() is None
    assert cause.types


def test_the_openai_sdks_real_wrappers_are_known() -> None:
    openai: ModuleType = pytest.importorskip("openai")
    request = HTTPX.Request("POST", "http://localhost/")
    late = openai.APITimeoutError(request=request)
    assert read(late, HTTPX.ReadTimeout("")).root == f"{NAME}.ReadTimeout"
    assert read(openai.APIConnectionError(request=request), HTTPX.ReadError("")).root == f"{NAME}.ReadError"
    refused = openai.RateLimitError("no", response=HTTPX.Response(429, request=request), body=None)
    assert (read(refused).kind, read(refused).status) == ("rejected", 429)


def test_an_exceptions_odd_attributes_do_no_harm() -> None:
    class OddError(Exception):
        response = SimpleNamespace(status_code=None)

    assert read(OddError()).status is None
