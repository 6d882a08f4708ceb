"""
Where does the gradient error of a chip come from?
==================================================

The ledger: the error of every cause, layer by layer, and what else one measurement of a chip tells.
"""

from matplotlib import pyplot as plt

import nudgelab

small = {"network.layers": {"in": 784, "l1": 24, "l2": 16, "out": 10}, "experiment.samples": 8}
result = nudgelab.load("ledger", small).run()
print(result.answer)
causes = nudgelab.draw(result, "causes")

# %%
# Cosine of the measured to the exact gradient, as wide as one column of a paper.

cosine = nudgelab.draw(result, "cosine", width="one-column")
print(cosine.caption)

# %%
# The direction that is lost as one cause after the other acts, and how large the signals are, in axes of your own.

both, (left, right) = plt.subplots(1, 2, figsize=(7.0, 3.2))
nudgelab.draw(result, "waterfall", ax=left)
drawn = nudgelab.draw(result, "signal", ax=right).figure

# %%
# Every cause alone, and what the chip gains without it; then the mean gradient of the batch, by connection.

interactions = nudgelab.draw(result, "interactions")

# %%

connections = nudgelab.draw(result, "causes_of_connections")
