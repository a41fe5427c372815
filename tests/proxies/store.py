"""Runs deployments and stores what they exported: `python -m proxies.store [NAME…]`, in the folder of the tests."""

import gzip
import sys
import tempfile
from pathlib import Path

from proxies.deployments import DEPLOYMENTS
from proxies.programs import NotInstalledError
from proxies.running import run


def main(wanted: list[str]) -> None:
    """Stores all of them, or those that are named."""
    stored = Path(__file__).parent / "stored"
    stored.mkdir(exist_ok=True)
    for deployment in DEPLOYMENTS:
        if wanted and deployment.name not in wanted:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                exported = run(deployment, Path(folder))
            except NotInstalledError as error:
                print(f"{deployment.name}: {error}")
                continue
            packed = gzip.compress(exported.read_bytes(), mtime=0)
        (stored / f"{deployment.name}.jsonl.gz").write_bytes(packed)
        print(f"{deployment.name}: {len(packed):,} bytes")


if __name__ == "__main__":
    main(sys.argv[1:])
