"""Layers of nodes between conductors: deep resistive networks with ideal diodes."""
