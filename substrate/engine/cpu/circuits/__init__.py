"""Kernels of Kirchhoff networks."""
