"""
What does it cost to copy a network onto other chips?
======================================================

A network trained on one chip, on others of the same design, and how training brings it back.
"""

import nudgelab

result = nudgelab.load("copies", {"experiment.chips": 5, "experiment.epochs": 10}).run()
print(result.answer)
figure = nudgelab.draw(result, "copies")
