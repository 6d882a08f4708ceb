"""Volts, siemens and seconds, and the plain numbers that kernels see."""
