"""Laws of motion: symbols, signs and scales."""
