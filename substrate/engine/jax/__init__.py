"""The engine in JAX, for accelerators; the same laws and rules as the engine for processors."""
