"""Circuits that learn by themselves while tasks alternate: what their results say."""
