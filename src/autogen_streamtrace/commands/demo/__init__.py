"""The demo: real agents and a real team against a model server that cuts its streams in every way."""
