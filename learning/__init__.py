"""Experiments performed on a chip, and what they should have found."""
