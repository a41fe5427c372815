"""The pytest plugin: a model that cuts its streams, and what was told of a test's streams."""
