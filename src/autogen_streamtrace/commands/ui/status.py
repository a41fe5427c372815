"""What is known of the store itself."""

import time
from typing import Any

from autogen_streamtrace.commands.store.keeping import Bounds
from autogen_streamtrace.commands.store.reading import Readers
from autogen_streamtrace.commands.ui.receiving.inlet import Inlet


def store_status(readers: Readers, inlet: Inlet, bounds: Bounds) -> dict[str, Any]:
    """Its place, its size, and what it holds."""
    with readers.one() as reader:
        ((pages,),) = reader.rows("PRAGMA page_count")
        ((free,),) = reader.rows("PRAGMA freelist_count")
        ((size,),) = reader.rows("PRAGMA page_size")
        ((oldest,),) = reader.rows("SELECT received FROM spans ORDER BY id LIMIT 1") or [(None,)]
        ((turns,),) = reader.rows("SELECT count(*) FROM turns")
        ((streams,),) = reader.rows("SELECT count(*) FROM streams")
    return {
        "path": str(readers.file),
        "bytes": (pages - free) * size,
        "limit_bytes": bounds.size,
        "limit_seconds": bounds.age,
        "oldest_at": oldest / 1e6 if oldest else None,
        "turns": turns,
        "streams": streams,
        "received": inlet.written,
        "refused": inlet.refused,
        "trouble": inlet.trouble,
        "at": time.time() * 1000,
    }
