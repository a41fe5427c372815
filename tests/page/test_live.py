"""The page while programs start, are cut and die; on an empty store; with hostile names; and as its server dies."""

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import synthetic
from chromium import needs_chromium
from page_server import PageServer, page_server, program
from playwright.sync_api import expect
from synthetic import Turn, cut, lines
from windows import FITS, Windows, view_of

from autogen_streamtrace.core import semconv as sc

pytestmark = [pytest.mark.once, pytest.mark.xdist_group("browser"), needs_chromium, pytest.mark.timeout(120)]

EVIL = "</script><script>window.evil = 1</script><img src=x onerror='window.evil = 1'>"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[PageServer]:
    with page_server(tmp_path_factory.mktemp("live")) as running:
        yield running


def tell(process: "subprocess.Popen[str]", word: str) -> None:
    """Lets the program cut its stream; returns when it says that it has."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert process.stdout.readline() == f"{word}\n"


def test_an_empty_store_says_what_to_do(tmp_path: Path, windows: Windows) -> None:
    with page_server(tmp_path) as empty:
        page = windows.open(empty.address)
        expect(page.locator(".welcome")).to_contain_text("autogen_streamtrace.instrument()")
        expect(page.locator(".welcome")).to_contain_text(f"127.0.0.1:{empty.http}")
        for view in ("cuts", "turns", "compare"):
            page.goto(f"{empty.address}#/{view}")
            expect(page.locator(f".view.{view} .empty").first).to_be_visible()
        page.goto(f"{empty.address}#/turn/{1:032x}")
        expect(page.locator(".empty")).to_contain_text("This turn is not here.")
    assert [each for each in windows.wrong if "404" not in each] == []


def test_a_stream_appears_grows_and_is_cut_while_the_page_is_open(server: PageServer, windows: Windows) -> None:
    page = windows.open(server.address)
    page.locator(".state[data-state=live]").wait_for()
    with program(server, "grows") as running:
        row = page.locator(".stream-open", has_text="grows")
        expect(row).to_be_visible()
        age = row.locator(".age span")
        element = row.element_handle()
        before = float(age.inner_text().split()[0])
        expect(age).not_to_contain_text(f"{before}")
        link = row.locator("a")
        link.focus()
        tell(running, "cut")
        ended = page.locator(".turn.row", has_text="grows")
        expect(ended).to_contain_text("cancelled")
        expect(row).to_have_count(0)
        assert not element.is_visible()
    assert windows.wrong == []


def test_a_row_stays_the_same_element_while_others_come(server: PageServer, windows: Windows) -> None:
    """So nothing flickers, and a focus or a selection stays."""
    page = windows.open(server.address)
    with program(server, "stays"):
        row = page.locator(".stream-open", has_text="stays")
        expect(row).to_be_visible()
        row.locator("a").focus()
        with program(server, "comes"):
            expect(page.locator(".stream-open", has_text="comes")).to_be_visible()
            expect(row.locator("a")).to_be_focused()


def test_two_programs_at_once_are_told_apart(server: PageServer, windows: Windows) -> None:
    page = windows.open(server.address)
    with program(server, "one", service="till"), program(server, "other", service="claims"):
        for name, service in (("one", "till"), ("other", "claims")):
            expect(page.locator(".stream-open", has_text=name)).to_contain_text(service)
            expect(page.locator(".programs li.alive", has_text=service)).to_be_visible()


def test_a_killed_program_is_told_as_killed(server: PageServer, windows: Windows) -> None:
    page = windows.open(server.address)
    with program(server, "victim") as running:
        expect(page.locator(".stream-open", has_text="victim")).to_be_visible()
        running.kill()
        expect(page.locator(".turn.row", has_text="victim")).to_contain_text("killed")
        expect(page.locator(".stream-open", has_text="victim")).to_have_count(0)


def test_the_page_goes_on_by_itself_when_its_server_was_killed_and_is_back(tmp_path: Path, windows: Windows) -> None:
    first = PageServer(tmp_path)
    first.send(lines([cut(60.0, intermediary="nginx", at=time.time() - synthetic.BEGINNING / 1e9 - 60)]))
    page = windows.open(f"{first.address}#/now")
    expect(page.locator(".turn.row")).to_have_count(1)
    first.kill()
    expect(page.locator(".state")).to_contain_text("The server is gone")
    expect(page.locator(".turn.row")).to_have_count(1)
    with page_server(tmp_path, first.port):
        expect(page.locator(".state")).to_have_text("live")
        expect(page.locator(".turn.row")).to_have_count(1)


def test_a_name_from_the_wire_is_text_in_every_view(tmp_path: Path, windows: Windows) -> None:
    at = time.time() - synthetic.BEGINNING / 1e9 - 60
    evil = {sc.A_NAME: EVIL, sc.A_WAITING_ON_NAME: EVIL, sc.A_LIMIT_ID: EVIL, sc.GEN_AI_INPUT_MESSAGES: EVIL}
    turns = [Turn(sc.FAILED, origin=sc.AGENT, cause=EVIL, ended_by="agent", at=at, host=EVIL, more=evil)] * 6
    with page_server(tmp_path) as server, program(server, EVIL, service=EVIL):
        server.send(lines(turns, EVIL))
        server.wait("causes", lambda found: found["findings"])
        page = windows.open(server.address)
        trace = server.ask("turns?outcome=failed")["turns"][0]["trace"]
        for view in ("now", "cuts", "turns", f"turn/{trace}", "compare?by=service"):
            page.goto(f"{server.address}#/{view}")
            expect(page.locator(f".view.{view_of(view)}")).to_contain_text("<script>window.evil")
            assert page.evaluate(FITS), view
        page.keyboard.press("/")
        expect(page.locator(".choices")).to_contain_text("<script>window.evil")
        assert page.evaluate(FITS)
        assert page.evaluate("window.evil") is None
    assert [each for each in windows.wrong if "ERR_CONNECTION" not in each] == []
