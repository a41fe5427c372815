"""What is known of a model's stream when it is asked for: its ``StreamInfo``."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from autogen_streamtrace.core import semconv as sc
from autogen_streamtrace.core.evidence.content import Content
from autogen_streamtrace.core.stream.state import StreamInfo


def model_info(
    model: str,
    provider: str | None,
    *,
    streamed: bool,
    operation: str = "chat",
    framework: str = "",
    asked: Iterable[tuple[str, Any]] = (),
    subject: object = None,
    token: Callable[[], Any] | None = None,
    content: Content | None = None,
) -> StreamInfo:
    """The ``info`` of a stream on the layer ``model``.

    Args:
        model: the model's name.
        provider: ``gen_ai.provider.name``, where it is known.
        streamed: whether the reply is asked for as a stream.
        operation: ``gen_ai.operation.name``.
        framework: the framework whose client it is.
        asked: further attributes, such as those of ``parameters``.
        subject: the client.
        token: the ``CancellationToken``, by a weak reference.
        content: the contents of its request, where contents are recorded.
    """
    span_name, attributes = _said(model, provider, streamed, operation)
    return StreamInfo(
        sc.MODEL,
        model,
        subject=id(subject) if subject is not None else 0,
        token=token or type(None),
        span_name=span_name,
        attributes=(*attributes, *asked),
        streamed=streamed,
        framework=framework,
        content=content,
    )


def parameters(*asked: Any) -> tuple[tuple[str, Any], ...]:
    """The parameters of a request that the conventions name; the last mapping wins. What is no mapping is skipped."""
    found: dict[str, Any] = {}
    for each in asked:
        if isinstance(each, _MAPPINGS) and not sc.GEN_AI_REQUEST_PARAMETERS.keys().isdisjoint(each):
            for key, name in sc.GEN_AI_REQUEST_PARAMETERS.items():
                if key in each and isinstance(each[key], _VALUES):
                    found[name] = each[key]
    return tuple((name, _plain(value)) for name, value in found.items()) if found else ()


_MAPPINGS: Final = (dict, Mapping)
"""The first one is asked for first, in a tenth of the time."""
_SEQUENCES: Final = (list, tuple)
_VALUES: Final = (str, int, float, *_SEQUENCES)
"""Types of a value; the SDKs have objects of their own that stand for none."""


def _plain(value: Any) -> Any:
    """A value for an attribute: a sequence, such as the stop sequences, becomes a tuple."""
    return tuple(map(str, value)) if isinstance(value, _SEQUENCES) else value


@functools.lru_cache(maxsize=256)
def _said(model: str, provider: str | None, streamed: bool, operation: str) -> tuple[str, tuple[tuple[str, Any], ...]]:
    """The span's name and attributes. They are the same objects for every stream of a model."""
    attributes: tuple[tuple[str, Any], ...] = ((sc.GEN_AI_OPERATION, operation), (sc.GEN_AI_REQUEST_MODEL, model))
    if provider is not None:
        attributes += ((sc.GEN_AI_PROVIDER, provider),)
    if streamed:
        attributes += ((sc.GEN_AI_REQUEST_STREAM, True),)
    return f"{operation} {model}", attributes
