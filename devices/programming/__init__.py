"""How weights are written: laws of pulses, their constants per cell, comparators."""
