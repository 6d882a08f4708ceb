"""The engine for processors, compiled by Numba."""
