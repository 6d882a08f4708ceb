"""What a circuit has that its design does not ask for: spreads, wires, resistances of sources, squarers, noise."""
