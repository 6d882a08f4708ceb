"""What causes of error do alone, removed and together."""
