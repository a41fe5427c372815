"""Agent Framework does not install beside openai 1."""

import importlib.util

collect_ignore_glob = [] if importlib.util.find_spec("agent_framework_openai") else ["test_*.py"]
