"""Limits as they are played: each strikes, and leaves its vendor's traces."""

import asyncio
import time
from typing import Any

import httpx
import pytest
from chaos.chaotic import CHAT, Seen, look, proxy

from autogen_streamtrace.commands.chaos.faults.limits import played

pytestmark = pytest.mark.once
PATH = "/v1/chat/completions"


async def ask(client: httpx.AsyncClient, url: str, limit: str) -> tuple[str, Seen]:
    """One request under a limit; what comes before it makes its connection a used one."""
    status, body, answered, error = 0, b"", httpx.Headers(), ""
    asked = {"x-streamtrace-fault": f"{limit}=0.3s"}
    try:
        async with client.stream("POST", url, json=CHAT, headers=asked) as response:
            status, answered = response.status_code, response.headers
            async for piece in response.aiter_raw():
                body += piece
    except httpx.HTTPError as raised:
        error = type(raised).__name__
    return limit, Seen(status, answered, body, error)


def test_every_limit_that_can_be_played_strikes_and_leaves_its_vendors_traces() -> None:
    struck = [limit for limit in played() if limit.counts != "reuse"]

    async def all_at_once(url: str) -> list[Any]:
        async with httpx.AsyncClient(trust_env=False, timeout=40) as client:
            return await asyncio.gather(*(ask(client, url, limit.id) for limit in struck))

    with proxy() as through:
        seen = dict(asyncio.run(all_at_once(through.url + PATH)))
        through.last()
        ends = {done.fault: done.end for done in through.service.tally.done}
    assert set(ends.values()) == {"struck"}, ends
    for limit in struck:
        mine = look(seen[limit.id])
        assert mine.status in (200, 0, *limit.status), limit.id
        traces = {*mine.intermediaries, mine.page} - {""}
        if limit.intermediary and mine.status:
            assert limit.intermediary in traces or (limit.hidden and not traces), (limit.id, mine)
        if limit.counts != "buffering" and mine.status == 200:
            assert b"[DONE]" not in seen[limit.id].body, limit.id


def test_a_connection_that_was_not_idle_for_as_long_is_used_again() -> None:
    with proxy("uvicorn.timeout_keep_alive=60s") as through, httpx.Client(trust_env=False, timeout=20) as client:
        for _ in range(2):
            assert client.post(through.url + PATH, json=CHAT).status_code == 200


def test_a_connection_that_was_idle_for_longer_is_closed_as_it_is_used_again() -> None:
    with proxy("uvicorn.timeout_keep_alive=0.3s") as through, httpx.Client(trust_env=False, timeout=20) as client:
        assert client.post(through.url + PATH, json=CHAT).status_code == 200
        through.ended()  # from here on it is idle
        time.sleep(0.4)
        with pytest.raises(httpx.HTTPError):
            client.post(through.url + PATH, json=CHAT)
