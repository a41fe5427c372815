"""Reads bodies: what a model's reply says of itself, in the words of each provider."""
