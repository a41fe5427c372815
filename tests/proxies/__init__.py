"""Real proxies between a real application and a model server: what they cut, and what `diagnose` says of it."""
