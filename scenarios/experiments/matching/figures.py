"""Gradient quality against device spread: chips that were drawn, and the closed form."""

from __future__ import annotations

import numpy as np

from ...drawing.space import Space, makes_figure
from ...drawing.style import choose_look, format_plain_text, set_spaced_ticks
from ...results.store import Group


@makes_figure
def draw_mismatch(space: Space, group: Group) -> None:
    """Draw the cosine of every chip and layer against the spread of its feedback cells, and the matching rule.

    Points: single chips. Line: their mean. Dotted: the rule, before any chip is drawn. The angle between
    forward and feedback weights is ``arctan(sigma)``.

    Parameters
    ----------
    group : Group
        `sigma` (sigma,), above 0 where it is drawn; `cosine` (sigma, instance, layer), nan where a chip has
        none; `rule` (sigma, layer); `layer` (layer,).
    """
    drawn = group["sigma"].data > 0.0
    sigma = group["sigma"].data[drawn]
    cosine, rule = group["cosine"].data[drawn], group["rule"].data[drawn]
    (axes,) = space.make_panels()
    for k, layer in enumerate(group["layer"].data):
        style = choose_look(k)
        points = {"linestyle": "none", "markersize": 2.5, "alpha": 0.3, "zorder": 1}
        axes.plot(np.repeat(sigma, cosine.shape[1]), cosine[..., k].ravel(), **(style | points))
        mean = np.ma.masked_invalid(cosine[..., k]).mean(axis=1).filled(np.nan)
        axes.plot(sigma, mean, label=format_plain_text(layer, 16), linewidth=1.2, **style)
        label = "matching rule" if k == 0 else None
        axes.plot(sigma, rule[:, k], color=style["color"], linestyle=":", linewidth=1.6, label=label)
    axes.set_xscale("log")
    set_spaced_ticks(axes, space.panel_width, sigma, [f"{100.0 * s:g}" for s in sigma])
    axes.set_xlabel("relative spread of one feedback cell (%)")
    axes.set_ylabel("cosine to the exact gradient\n(vanishing nudge)")
    space.place_legend([axes])
