"""The dashboards, rules and alerts as they lie in ``dashboards/``, without any server."""
