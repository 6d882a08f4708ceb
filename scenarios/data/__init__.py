"""Data of a task and of measured devices: readers, generators, bundled sets."""
