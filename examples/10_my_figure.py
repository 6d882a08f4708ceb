"""A figure of my own: it belongs to every result that has data for it, and to the page of every run."""

from matplotlib.figure import Figure

import nudgelab


@nudgelab.register_figure(
    "norms",
    when=lambda result: "gradient" in result.groups,
    caption="Norms. Size of the measured gradient over that of the exact one, by layer: 1 is right.",
)
def draw_norms(result):
    """Draw a point for every scheme and layer."""
    group = result["gradient"]
    figure = Figure()
    axes = figure.subplots()
    for label, ratios in zip(group["scheme"].data, group["norm_ratio"].data, strict=True):
        axes.plot(group["layer"].data, ratios, "o", label=label)
    axes.set_ylabel("measured over exact")
    axes.legend()
    return figure


result = nudgelab.load("first-training", {"experiment": {"kind": "measure", "samples": 4}}).run()
print(list(result.figures))
result.figures["norms"].save("norms.svg")
