"""
A training, and its gradients along the way
===========================================

Loss and error over the epochs, beside the same chip trained with its exact gradients.
"""

import nudgelab

small = {
    "network.layers": {"in": 784, "l1": 16, "l2": 12, "out": 10},
    "experiment.samples": 200,
    "experiment.epochs": 4,
    "experiment.ledger": {"every_epochs": 2, "samples": 8},
}
result = nudgelab.load("training", small).run()
print(result.answer)
training = nudgelab.draw(result, "training")

# %%
# The cosine of the measured to the exact gradient, and how far feedback weights drift from the forward ones.

cosine = nudgelab.draw(result, "cosine_by_epoch", width="one-column")

# %%

angles = nudgelab.draw(result, "angles")
