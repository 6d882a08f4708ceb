"""A design before and after its changes, side by side."""
