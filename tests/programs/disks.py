"""Streams while the recorder's disk fails. ``disks.py WHAT DIRECTORY``, in a mount namespace of its own.

It prints how many streams were whole while the disk failed; with the next line on stdin the disk is well again, and it
prints how many are recorded as soon as all are. ``recovery`` stands alone.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from pathlib import Path

import autogen_streamtrace
from autogen_streamtrace.commands.top.streams import open_streams
from autogen_streamtrace.core.stream.state import clock
from autogen_streamtrace.recorder import flight

flight._RENEW = 0.5  # type: ignore[misc]


def full(volume: Path) -> Callable[[], object]:
    """Another file takes all the room that is left; then it goes."""
    mount("tmpfs", volume, "size=64k")
    begin(volume)
    return filled(volume).unlink


def too_small(volume: Path) -> Callable[[], object]:
    """One page: the recorder's header has room, its counters have not. Then it grows."""
    mount("tmpfs", volume, "size=4k")
    begin(volume)
    return lambda: mount("tmpfs", volume, "remount,size=64k")


def read_only(volume: Path) -> Callable[[], object]:
    """From the start; then it can be written to."""
    mount("tmpfs", volume, "ro")
    begin(volume)
    return lambda: mount("tmpfs", volume, "remount,rw")


def vanished(volume: Path) -> Callable[[], object]:
    """A volume is taken away; what is below is read-only, and then it is not."""
    mount("tmpfs", volume, "size=64k")
    inner = volume / "inner"
    inner.mkdir()
    mount("tmpfs", inner, "size=64k")
    mount("tmpfs", volume, "remount,ro")
    begin(inner)
    subprocess.run(["umount", "--lazy", str(inner)], check=True)
    return lambda: mount("tmpfs", volume, "remount,rw")


def mount(kind: str, volume: Path, options: str) -> None:
    subprocess.run(["mount", "-t", kind, "-o", options, kind, str(volume)], check=True)


def filled(volume: Path) -> Path:
    """The file that takes all the room that is left."""
    filler = volume / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
    return filler


def recovery(volume: Path) -> None:
    """A process is killed, the disk is full, and another one recovers what the first had open. Prints what is left."""
    mount("tmpfs", volume, "size=128k")
    os.environ["XDG_STATE_HOME"] = str(volume)
    victim = [sys.executable, str(Path(__file__).with_name("victim.py")), "holds", "2"]
    with subprocess.Popen(victim, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline()
        process.kill()
    filled(volume)
    subprocess.run([sys.executable, "-m", "autogen_streamtrace.cli", "recover"], check=True)
    print(sorted(path.name for path in volume.rglob("*") if path.is_file()))


def begin(volume: Path) -> None:
    autogen_streamtrace.instrument(recorder_dir=str(volume))


async def words(last: "asyncio.Event | None" = None) -> AsyncGenerator[str, None]:
    yield "one"
    if last is not None:
        await last.wait()
    yield "two"


def files(volume: Path) -> list[Path]:
    return list(volume.rglob("*.streams"))


def recorder() -> flight.FlightRecorder:
    watch = autogen_streamtrace.Instrumentor().watch
    assert watch is not None and watch._recording is not None
    return watch._recording.recorder


async def state(wanted: int) -> None:
    """Returns when the recorder is in it."""
    while recorder().state != wanted:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


async def recorded(directory: Path, streams: int) -> None:
    """Returns when so many streams are recorded. A thread writes them where the disk seems to be slow."""
    while len(open_streams(str(directory))) != streams:  # noqa: ASYNC110
        await asyncio.sleep(0.02)


def look() -> None:
    """Lets it look after its file now."""
    recorder()._look_after(clock())


async def main(what: str, volume: Path) -> None:
    repair = {each.__name__: each for each in (full, too_small, read_only, vanished)}[what](volume)
    if what != "full":  # which nobody knows before something is written
        await state(flight.FAILING)
    whole = 0
    for _ in range(3):
        whole += [word async for word in autogen_streamtrace.trace_stream(words(), "s")] == ["one", "two"]
    look()
    assert recorder().state == flight.FAILING
    print(whole, flush=True)
    sys.stdin.readline()
    repair()
    await state(flight.RECORDING)
    assert len(files(volume)) == 1  # no attempt left another one behind
    end = asyncio.Event()
    held = [autogen_streamtrace.trace_stream(words(end), "s").__aiter__() for _ in range(2)]
    for each in held:
        assert await each.__anext__() == "one"
    await recorded(volume if what != "vanished" else volume / "inner", len(held))
    print(len(held), flush=True)
    sys.stdin.readline()
    end.set()
    for each in held:
        assert [word async for word in each] == ["two"]


if __name__ == "__main__":
    if sys.argv[1] == "recovery":
        recovery(Path(sys.argv[2]))
    else:
        asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
