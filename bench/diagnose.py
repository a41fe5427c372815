"""How long `autogen-streamtrace diagnose` takes for a million spans, beside one plain pass of the JSON parser.

python bench/diagnose.py [SPANS]
"""

import random
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import orjson
import psutil

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from synthetic import Turn, cut, write

MORE = {f"http.response.header.x-padding-{number}": "0123456789abcdef" * 3 for number in range(4)}


def turns(count: int) -> Iterator[Turn]:
    """Three spans each; six in a hundred are cut, by two limits and by chance."""
    random_ = random.Random(7)
    for _ in range(count):
        at, draw = random_.uniform(0, 86_400), random_.random()
        if draw < 0.94:
            yield Turn(duration=random_.lognormvariate(2, 0.6), at=at, more=MORE)
        elif draw < 0.97:
            yield cut(60 + random_.uniform(0, 0.2), intermediary="nginx", at=at, more=MORE)
        elif draw < 0.99:
            yield cut(0.02, duration=300.2, intermediary="google_front_end", at=at, more=MORE)
        else:
            yield cut(random_.expovariate(0.2), duration=random_.uniform(1, 100), at=at, more=MORE)


def watch(process: "subprocess.Popen[bytes]", peak: list[int]) -> None:
    """Keeps the largest sum of the process's and its children's memory."""
    own = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            family = [own, *own.children(recursive=True)]
            peak[0] = max(peak[0], sum(each.memory_full_info().pss for each in family))
        except psutil.Error:
            pass
        time.sleep(0.2)


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        source = write(Path(folder) / "spans.jsonl", turns(count // 3))
        print(f"{count:,} spans, {Path(source).stat().st_size / 1e9:.2f} GB")
        began, cpu = time.perf_counter(), time.process_time()
        with open(source, "rb") as file:
            for line in file:
                orjson.loads(line)
        plain = time.process_time() - cpu
        print(f"orjson alone, one core: {time.perf_counter() - began:.1f} s, {plain:.1f} s of CPU")
        began, peak = time.perf_counter(), [0]
        command = [sys.executable, "-c", "from autogen_streamtrace.cli import main; main()", "diagnose", source]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        watcher = threading.Thread(target=watch, args=(process, peak))
        watcher.start()
        process.wait()
        watcher.join()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent = used.ru_utime + used.ru_stime
        print(
            f"diagnose: {time.perf_counter() - began:.1f} s, {spent:.1f} s of CPU ({spent / plain:.2f} times orjson's)"
        )
        print(f"memory of all its processes: {peak[0] / 1e9:.2f} GB")


if __name__ == "__main__":
    main()
