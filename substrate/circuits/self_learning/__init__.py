"""Circuits that learn by themselves, in continuous time."""
