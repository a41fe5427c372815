"""The chaos proxy: it stands before a model's endpoint, and cuts its replies as production does."""
