"""The tables of a study of nudges."""

from __future__ import annotations

import numpy as np

from ...drawing.sheet import Sheet
from ...results.store import Group
from ...results.views import find_best_schemes, format_percent, list_scheme_kinds


def make_best_sizes_sheet(group: Group) -> Sheet:
    """Return the best size of every kind of scheme, in its worst layer."""
    rows = []
    for s in find_best_schemes(group, np.nanmax(group["mse"].data, axis=1)):
        k = int(np.nanargmax(group["mse"].data[s]))
        bias, noise, error = (format_percent(np.sqrt(group[name].data[s, k])) for name in ("bias", "variance", "mse"))
        sizes = [f"{group['beta'].data[s]:g}", str(group["averaged"].data[s])]
        cosine = f"{group['cosine'].data[s, k]:.4f}"
        rows.append(
            [
                str(list_scheme_kinds(group["scheme"].data)[s]),
                str(group["layer"].data[k]),
                *sizes,
                bias,
                noise,
                error,
                cosine,
            ]
        )
    return Sheet(
        "Best size of every scheme at equal budget, in % of the exact gradient (rms, worst layer)",
        ["scheme", "worst layer", "beta", "estimates", "bias", "noise", "error", "cosine"],
        rows,
        words=2,
        note="estimates: as many as the budget pays, averaged; bias: asymmetry, nudge and settling together",
    )


def make_noise_gains_sheet(group: Group) -> Sheet:
    """Return what every kind of scheme asks of the chip, and its noise at equal reads."""
    columns = ["scheme", "order", "settlings", "real reads", "noise gain G", "G x reads"]
    rows = []
    for s in find_best_schemes(group, np.nanmax(group["mse"].data, axis=1)):
        asked = [str(group[name].data[s]) for name in ("order", "settlings", "reads")]
        gain = float(group["gain"].data[s])
        name, at_equal_reads = str(list_scheme_kinds(group["scheme"].data)[s]), gain * float(group["reads"].data[s])
        rows.append([name, *asked, f"{gain:.4g}", f"{at_equal_reads:.3g}"])
    return Sheet(
        "Noise gain of every scheme",
        columns,
        rows,
        note="read noise sigma gives one estimate the variance G (sigma/beta)^2; G x reads compares at equal reads, "
        "the free one included; the bias falls as beta^order",
    )
