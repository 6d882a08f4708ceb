"""Jacobian homeostasis, measured through probes."""
