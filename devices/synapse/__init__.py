"""What one weight is made of: cells, conductances, wires, and what they lose with time."""
