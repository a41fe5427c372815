"""Streams from an endpoint, directly and through the deployed path, and reports what the path does to the stream."""
