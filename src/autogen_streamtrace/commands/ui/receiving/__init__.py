"""Receives OTLP over gRPC and HTTP."""
