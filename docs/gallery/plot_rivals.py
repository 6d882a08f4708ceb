"""
Which rule trains which chip best?
==================================

Rules at equal budget on chips of more and more mismatch and read noise, and what averages leave of an error.
"""

import nudgelab

small = {
    "rivals": [{"rule": "error-vector"}, {"rule": "pat"}, {"rule": "dfa"}],
    "chips": 3,
    "rates": [0.1, 0.3],
    "budget": {"settlings": 400},
    "in_silico_epochs": 2,
}
result = nudgelab.load("rivals-map", {f"experiment.{key}": value for key, value in small.items()}).run()
print(result.answer)
rivals = nudgelab.draw(result, "rivals")

# %%

averages = nudgelab.draw(result, "averages")
