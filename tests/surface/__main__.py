"""Writes ``docs/coverage.md``."""

from .document import FILE, text

if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
