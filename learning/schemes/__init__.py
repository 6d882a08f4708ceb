"""Nudge schemes: nodes, weights, and figures of merit."""
