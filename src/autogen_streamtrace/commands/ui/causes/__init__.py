"""What the page says of causes: the findings of `diagnose`, kept fresh, with their runbooks and their marks."""
