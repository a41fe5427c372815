"""The code that writes ``dashboards/*.json`` and ``dashboards/alerts/*.yaml``: ``python -m boards`` in that folder."""
