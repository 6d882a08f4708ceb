"""Kirchhoff networks: nodes joined by resistors, diodes, transistors and amplifiers."""
