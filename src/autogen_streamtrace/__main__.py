"""``python -m autogen_streamtrace`` is the command line."""

from autogen_streamtrace.cli import main

main()
