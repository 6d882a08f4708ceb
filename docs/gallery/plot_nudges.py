"""
How large should a nudge be?
============================

A small nudge measures the right thing through much noise, a large one the wrong thing clearly.
"""

import nudgelab

small = {
    "network.layers": {"in": 784, "l1": 16, "out": 10},
    "experiment": {"kind": "nudge", "samples": 4, "repeats": 8, "betas": [0.05, 0.1, 0.2, 0.4, 0.8]},
}
study = nudgelab.load("best-nudge", small).run()
print(study.answer)
best = nudgelab.draw(study, "nudge_study")

# %%
# What theory says of the schemes: no chip is needed for it.

theory = nudgelab.draw(study, "schemes")

# %%
# On a chip without noise the error of the finite nudge is seen alone, beside that of the asymmetry.

sizes = nudgelab.load("nudge-size", {"network.layers.l1": 16, "network.layers.l2": 12, "experiment.samples": 2}).run()
error = nudgelab.draw(sizes, "nudge")
