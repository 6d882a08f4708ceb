"""Noise of cells in results: tables, sentences and the figure of a sweep."""
