"""Oracle side: exact gradients, and where the error of a measured one comes from."""
