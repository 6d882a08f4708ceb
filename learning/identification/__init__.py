"""What free reads of a running chip tell of its devices, on the bench alone."""
