"""Reads bodies: what a model's reply shows of itself, in each provider's format."""
