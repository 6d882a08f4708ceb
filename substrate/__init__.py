"""The physical machine: devices wired together and given dynamics."""
