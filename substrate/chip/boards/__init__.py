"""What stands in for the cells of a chip in some settlings: a second board, weights that fluctuate."""
