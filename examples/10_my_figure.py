"""A figure of my own: it belongs to every result that has data for it, and to the page of every run."""

import nudgelab


@nudgelab.register_figure(
    "norms",
    when=lambda result: "gradient" in result.groups,
    caption="Norms. Size of the measured gradient over that of the exact one, by layer: 1 is right.",
)
def draw_norms(space, result):
    """Draw a point for every scheme and layer."""
    group = result["gradient"]
    (axes,) = space.make_panels()
    for label, ratios in zip(group["scheme"].data, group["norm_ratio"].data, strict=True):
        axes.plot(group["layer"].data, ratios, "o", label=label)
    axes.set_xlabel("layer")
    axes.set_ylabel("measured over exact")
    space.place_legend([axes])


result = nudgelab.load("first-training", {"experiment": {"kind": "measure", "samples": 4}}).run()
print(list(result.figures))
nudgelab.draw(result, "norms", width="one-column").save("norms.svg")
