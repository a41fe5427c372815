"""A game day: a plan of steps, how they are played, and what was seen of each."""
