"""The example with both frameworks runs as it stands, and one attribute tells their turns apart."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from otlp_receiver import OtlpReceiver

from autogen_streamtrace.core import semconv as sc

pytestmark = pytest.mark.once

EXAMPLE = Path(__file__).parents[2] / "examples" / "both.py"


def test_both_frameworks_are_told_alike_and_apart(receiver: OtlpReceiver) -> None:
    environment = {**os.environ, **receiver.env("http/protobuf")}
    ended = subprocess.run([sys.executable, str(EXAMPLE)], env=environment, capture_output=True, text=True, timeout=50)
    assert (ended.returncode, ended.stdout.count("Nothing was raised")) == (0, 2), ended.stderr
    turns = {
        (span.attributes[sc.A_FRAMEWORK], span.attributes[sc.A_LAYER]): span.attributes[sc.A_OUTCOME]
        for span in receiver.spans()
        if sc.A_FRAMEWORK in span.attributes
    }
    layers = (sc.AGENT, sc.MODEL, sc.HTTP)
    assert turns == {(each, layer): sc.TRUNCATED for each in ("autogen", "agent_framework") for layer in layers}
