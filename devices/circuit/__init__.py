"""What the components of a circuit really do: spreads, reads and writes."""
