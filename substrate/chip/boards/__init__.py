"""What there is beside the first cells of a chip: a second board, further arrays, weights that fluctuate."""
