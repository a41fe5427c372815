"""`rehearses.py URL FAULT…`: asks the model behind a chaos proxy once for each fault, by each of three SDKs."""

import contextlib
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import ollama
import openai

import autogen_streamtrace

ASKED: Any = [{"role": "user", "content": "Where is my claim?"}]
URL, *FAULTS = sys.argv[1:]


def by_openai(fault: str) -> None:
    with openai.OpenAI(api_key="none", base_url=f"{URL}/v1", max_retries=0) as client:
        for _ in client.chat.completions.create(
            model="gpt-4o", messages=ASKED, stream=True, extra_headers={"x-streamtrace-fault": fault}
        ):
            pass


def by_anthropic(fault: str) -> None:
    with anthropic.Anthropic(api_key="none", base_url=URL, max_retries=0) as client:
        for _ in client.messages.create(
            model="claude", max_tokens=9, messages=ASKED, stream=True, extra_headers={"x-streamtrace-fault": fault}
        ):
            pass


def by_ollama(fault: str) -> None:
    for _ in ollama.Client(URL, headers={"x-streamtrace-fault": fault}).chat("llama", ASKED, stream=True):
        pass


autogen_streamtrace.instrument()


def ask(by: Callable[[str], None]) -> None:
    for fault in FAULTS:
        with contextlib.suppress(Exception):
            by(fault)


with ThreadPoolExecutor() as threads:
    list(threads.map(ask, (by_openai, by_anthropic, by_ollama)))
