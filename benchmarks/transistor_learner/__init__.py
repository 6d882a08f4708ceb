"""A measured transistor learner and its twin: ``python -m benchmarks.transistor_learner``."""
