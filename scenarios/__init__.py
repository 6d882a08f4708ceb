"""Written descriptions of experiments: reading, running, keeping, showing."""
