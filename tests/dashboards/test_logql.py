"""How the tests read LogQL: what a query's matchers choose."""

import pytest

from . import logql

pytestmark = pytest.mark.once

LINE = logql.labels({"service.name": "shop", "streamtrace.layer": "model", "early": "true", "late": "1.5"})


@pytest.mark.parametrize(
    ("query", "chosen"),
    [
        ('{service_name="shop"}', True),
        ('{service_name="shops"}', False),
        ('{service_name=~"sh"}', False),
        ('{service_name=~"sh.*"}', True),
        ("{service_name!=`shop`}", False),
        ('{service_name=~"s\\\\w+"}', True),
        ("{service_name=~`s\\w+`}", True),
        ('{service_name!~"x.*"}', True),
        ('{service_name=~".+"} | nowhere=""', True),
        ('{service_name=~".+"} | nowhere!=""', False),
        ('{service_name=~".+"} | streamtrace_layer="model" | early="false"', False),
        ('{service_name=~".+"} | streamtrace_layer!="model" or early="true"', True),
        ('{service_name=~".+"} | streamtrace_layer!="model" or early="false"', False),
        ('{service_name="shop"} | late > 1', True),
        ('{service_name="shop"} | late > 1.5', False),
        ('{service_name="shop"} | nowhere > 0', False),
        ('sum by (early) (count_over_time({service_name="shop"} | early="true" [5m])) > 0', True),
    ],
)
def test_a_line_is_chosen_where_it_fits_every_stage(query: str, chosen: bool) -> None:
    assert logql.chooses(query, LINE) is chosen


def test_the_labels_that_a_query_groups_by_and_takes_values_from_are_named() -> None:
    query = 'sum by (a, b) (sum_over_time({c="d"} | e="f" | unwrap g [5m]))'
    assert logql.named(query) == {"a", "b", "g"}
