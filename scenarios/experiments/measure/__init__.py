"""Measure gradients beside the exact ones: run, tables, figures, words."""
