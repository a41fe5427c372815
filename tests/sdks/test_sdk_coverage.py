"""Every endpoint at which an installed SDK streams is in the table, and is watched as the table says."""

import pytest
from surface.sdks import GENERATED, MODEL, TABLE, streamed, streaming_modules

from autogen_streamtrace.flow.sdks.endpoints import endpoint

pytestmark = pytest.mark.once


@pytest.mark.parametrize("package", [*GENERATED, "ollama"])
def test_every_endpoint_at_which_an_sdk_streams_is_in_the_table(package: str) -> None:
    found = streamed(package)
    assert found <= TABLE[package].keys()
    assert found


@pytest.mark.parametrize(("package", "path"), [(each, path) for each in GENERATED for path in TABLE[each]])
def test_a_stream_is_a_models_as_the_table_says(package: str, path: str) -> None:
    asked = path.replace("{", "").replace("}", "")
    assert (endpoint(asked, streamed=True) is not None) == (TABLE[package][path] == MODEL)


def test_every_module_of_geminis_sdk_that_streams_is_in_the_table() -> None:
    assert streaming_modules() == {name.partition(".")[0] for name in TABLE["google-genai"]}
