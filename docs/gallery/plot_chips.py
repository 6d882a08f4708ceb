"""
How much do chips of one design differ?
=======================================

One set of weights on several chips, each with a mismatch of its own.
"""

import nudgelab

task = {"network.layers": {"in": 784, "l1": 16, "l2": 12, "out": 10}, "learning": None}
result = nudgelab.load("first-training", task | {"experiment": {"kind": "evaluate", "chips": 8}}).run()
figure = nudgelab.draw(result, "chips", width="one-column")
print(figure.caption)
