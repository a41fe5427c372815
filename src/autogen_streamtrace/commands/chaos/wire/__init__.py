"""HTTP on both sides of the proxy, down to the way in which a connection ends."""
