"""Streams from an endpoint, directly and through the deployed path, and says what the path does to it."""
