"""Reads what others leave behind: exceptions, deadlines, contents, bodies and HTTP exchanges. It keeps no streams."""
