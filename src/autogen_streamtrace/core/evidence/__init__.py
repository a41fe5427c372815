"""Reads evidence of endings: exceptions, deadlines, contents, bodies and HTTP exchanges. It stores no streams."""
