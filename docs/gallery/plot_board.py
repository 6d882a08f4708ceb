"""
What does a chip on a board know of its own gradients?
======================================================

How well error vectors repeat, and how far they agree with node perturbation, which needs no symmetry. The board is a
simulated one.
"""

import nudgelab

chip = {
    "network.layers": {"in": 2, "l1": 4, "out": 2},
    "network.connections": ["in-l1", "l1-out", "out-l1"],
    "devices": {"noise": {"read": 0.004}, "feedback": {"mismatch_sigma": 0.3}},
}
result = nudgelab.load("board", chip | {"experiment.repeats": 8, "hardware.probes": 24}).run()
print(result.answer)
figure = nudgelab.draw(result, "board", width="one-column")
print(figure.caption)
