"""How a settling is carried out on an engine: along time, to its rest, or of the adjoint state."""
