"""Experiments with a chip on a board: what can be said of its gradients by measuring alone, and its training."""
