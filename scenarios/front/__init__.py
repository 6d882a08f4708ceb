"""What a notebook calls: scenarios, sweeps and results as objects."""
