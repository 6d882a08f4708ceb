"""What one unit is made of: its transfer curve, its membrane and their noise."""
