"""OTLP requests written straight to bytes, for our own exporters; a few times cheaper than the SDK's encoder.

Each request is equal to the SDK's. Whatever this cannot write is left to the SDK's encoder, a batch at a time.
"""
