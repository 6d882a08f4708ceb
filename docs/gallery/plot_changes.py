"""
A chip before and after one change
==================================

The scenario declares a change of its design, here a readout of 10 bits; the answer and the figure tell what it did to
every cause of error.
"""

import nudgelab

small = {"network.layers": {"in": 784, "l1": 24, "l2": 16, "out": 10}, "experiment.samples": 8}
result = nudgelab.load("quickstart", small).run()
figure = nudgelab.draw(result, "changes")
print(figure.caption)

# %%
# Two results that were measured apart, or kept in folders, are compared the same way: ``nudgelab.compare(a, b)``.

one, other = (
    nudgelab.load("ledger", small | {"devices.feedback.mismatch_sigma": sigma}).run() for sigma in (0.1, 0.02)
)
side_by_side = nudgelab.draw(nudgelab.compare(one, other), "causes")
