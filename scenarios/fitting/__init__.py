"""Devices out of measurements: files of numbers become laws, spreads and their intervals."""
