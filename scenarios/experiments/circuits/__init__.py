"""Experiments with circuits: their results have the groups of those with rate networks, and are shown alike."""
