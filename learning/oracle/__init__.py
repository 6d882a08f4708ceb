"""Oracle side: exact gradients and what they are compared with."""
