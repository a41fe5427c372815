"""Requests: what is exported, by resource and instrumentation scope."""

from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from autogen_streamtrace.otlp.encoding.values import attributes
from autogen_streamtrace.otlp.encoding.wire import delimited, text


class Item(Protocol):
    """A span or a log record."""

    @property
    def resource(self) -> Resource: ...
    @property
    def instrumentation_scope(self) -> InstrumentationScope | None: ...


ItemT = TypeVar("ItemT", bound=Item)


def request(items: Iterable[ItemT], encoded: Callable[[ItemT], bytes]) -> bytes:
    """The request that exports ``items``; spans and log records have the same numbers of fields here."""
    groups: dict[Resource, dict[InstrumentationScope | None, list[bytes]]] = {}
    rows_of: dict[tuple[int, int], list[bytes]] = {}  # by identity, since a resource's hash is dear
    held: list[Any] = []
    for item in items:
        resource, scope = item.resource, item.instrumentation_scope
        rows = rows_of.get((id(resource), id(scope)))
        if rows is None:
            rows = groups.setdefault(resource, {}).setdefault(scope or None, [])
            rows_of[id(resource), id(scope)] = rows
            held.append((resource, scope))
        rows.append(encoded(item))
    return b"".join([delimited(b"\x0a", _of_resource(resource, scopes)) for resource, scopes in groups.items()])


def _of_resource(resource: Resource, scopes: dict[InstrumentationScope | None, list[bytes]]) -> bytes:
    return b"".join(
        (
            delimited(b"\x0a", attributes(b"\x0a", resource.attributes)),
            *(delimited(b"\x12", _of_scope(scope, rows)) for scope, rows in scopes.items()),
            text(b"\x1a", resource.schema_url),
        )
    )


def _of_scope(scope: InstrumentationScope | None, rows: list[bytes]) -> bytes:
    return b"".join(
        (
            delimited(b"\x0a", _scope(scope) if scope else b""),
            *(delimited(b"\x12", row) for row in rows),
            text(b"\x1a", scope.schema_url if scope else None),
        )
    )


def _scope(scope: InstrumentationScope) -> bytes:
    return text(b"\x0a", scope.name) + text(b"\x12", scope.version) + attributes(b"\x1a", scope.attributes)
