"""From the scenario of a circuit to the circuit and its data."""
