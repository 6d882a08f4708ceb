"""How circuits move: paths in time, and phases that the clock ends."""
