"""Figures, drawn from a result and nothing else: which ones it has data for, and what they show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from ..drawing.style import svg
from ..experiments.evaluate_figures import chips
from ..experiments.measure.figures import cosine, nudge, settling, signal
from ..experiments.measure.ledger_figures import causes, causes_of_connections, interactions, waterfall
from ..experiments.nudge.figures import nudge_study, schemes
from ..experiments.train.figures import angles, cosine_by_epoch, training
from ..results.disk import write, writing
from ..results.store import Result
from ..results.views import latest, measured_epochs, void

__all__ = [
    "CAPTIONS",
    "angles",
    "causes",
    "causes_of_connections",
    "chips",
    "cosine",
    "cosine_by_epoch",
    "drawings",
    "figures_of",
    "interactions",
    "nudge",
    "nudge_study",
    "schemes",
    "settling",
    "signal",
    "training",
    "waterfall",
]

CAPTIONS = {
    "training": (
        "Training. Loss and share of wrong classes after each epoch; epoch 0 is the chip before training. A gap "
        "between training and test samples is overfitting; a gap to the dashed curves, where they are drawn, is what "
        "the measured gradients cost against exact ones."
    ),
    "angles": (
        "Asymmetry. Angle between the forward weights and the transposed feedback weights of each pair: 0 degree is "
        "the perfect match that equilibrium propagation assumes, 90 degree is no relation. Symmetry compares the "
        "symmetric part of all couplings with the antisymmetric part; W - 1 includes the leak of the units. The loss "
        "of Jacobian homeostasis is that of the weights as they are, whether or not it is trained."
    ),
    "cosine_by_epoch": (
        "Gradient quality over training. Cosine of the measured to the exact gradient, per layer: 1 is the right "
        "direction. Aim at 0.9 or more in every layer; a layer near 0 does not learn."
    ),
    "cosine": (
        "Gradient quality by layer. Markers: cosine of the measured to the exact gradient. The grey band is what the "
        "matching rule expects of chips with this spread, before any chip is drawn; the dashed line is what would be "
        "left with a vanishing nudge. A marker below the dashed line can be raised by a better nudge or a longer "
        "settling; the dashed line itself moves only with more symmetric weights. Of many schemes, the best nudge of "
        "each kind is drawn; of a training, the last measured epoch."
    ),
    "nudge": (
        "Nudge size. Error that the finite nudge adds, against its size. Below the dashed line the asymmetry of the "
        "feedback dominates, and a smaller nudge only makes the signals harder to read."
    ),
    "causes": (
        "Ledger. Error that every cause adds to the gradient of a layer, on a logarithmic axis; the dashed line and "
        "the black bar are the whole error. Bars: the median sample, which decides what the answer blames, under the "
        "scheme it speaks of; ticks: rms over the samples, outliers included. Causes are vectors, so their sizes do "
        "not add. The grey bar is the "
        "spread of a single measurement, which averaging makes smaller; the other bars stay however often one "
        "measures. Of a training, the last measured epoch."
    ),
    "causes_of_connections": (
        "Ledger of what is written. The same for the mean gradient of the batch, per connection: the presynaptic "
        "factor and the write act here. The write is judged by one plain write of the batch."
    ),
    "interactions": (
        "Causes alone. Bars: the error of every cause on a chip that has no other; ticks: what this chip gains "
        "without it. Where both agree, causes add up; the interaction is what no cause makes alone. All rms over "
        "samples."
    ),
    "waterfall": (
        "Direction lost. Cosine to the exact gradient as one cause after the other begins to act: the largest step "
        "down is the cause that turns the gradient most. A cause that only changes its size makes no step."
    ),
    "nudge_study": (
        "Best nudge. Bias, noise and error of the worst layer against the size of the nudge, every scheme averaged "
        "over as many estimates as one budget pays. Dotted: theory, the bias as beta to the order of the scheme "
        "above what the asymmetry leaves (dashed), the noise as 1/beta. The best nudge is the lowest point on "
        "the right; a bias below two of its standard errors is not drawn."
    ),
    "schemes": (
        "Schemes in theory. Left: noise of an estimate at equal reads. Right: error of the finite nudge, half way to a "
        "pole of the response. A higher order buys a smaller bias; circles pay for it with complex states, real nudges "
        "with noise."
    ),
    "signal": (
        "Signal levels. How large the activity of a unit is, and how small the change is that the readout has to "
        "resolve for the gradient to be seen: noise and converter steps must stay well below the lowest curve. Of a "
        "training, the last measured epoch."
    ),
    "chips": (
        "Chips. Share of wrong classes, or loss, of the test samples on every chip of the design, the best chip first. "
        "The band is the 95 % interval of the mean (Student), not the range of chips."
    ),
    "settling": (
        "Settling. Largest distance of any unit from the end of its own settling; a straight line is exponential "
        "settling, its slope the slowest time constant. Thin lines are further samples. A curve stops where its end "
        "is no longer a fair stand-in for the rest point that it heads for."
    ),
}
"""What every figure shows, in words."""


def figures_of(result: Result) -> dict[str, Figure]:
    """Return every figure the result has data for, in reading order; measured groups at their last epoch."""
    last = latest(result)
    found = {}
    if "metrics" in result.groups:
        found["training"] = training(result)
        found["angles"] = angles(result)
    if len(measured_epochs(result)) > 1:
        found["cosine_by_epoch"] = cosine_by_epoch(result)
    if "gradient" in last.groups and np.isfinite(last["gradient"]["cosine"].data).any():
        found["cosine"] = cosine(result)
        found["causes"] = causes(result)
        if "ledger/connections" in last.groups and np.isfinite(last["ledger/connections"]["total"].data[0]).any():
            found["causes_of_connections"] = causes_of_connections(result)
        if "ledger/interactions" in last.groups:
            found["interactions"] = interactions(result)
        found["waterfall"] = waterfall(result)
        found["signal"] = signal(result)
        if len(np.unique(last["signal"]["beta"].data)) > 2:
            found["nudge"] = nudge(result)
    if "nudge" in last.groups:
        group = last["nudge"]
        found["nudge_study"] = nudge_study(last, int(np.nanargmax(group["mse"].data[int(group["best"].data)])))
        found["schemes"] = schemes()
    if "evaluate" in result.groups and not void(result):
        found["chips"] = chips(result)
    if "settling" in result.groups:
        found["settling"] = settling(result)
    return found


def drawings(result: Result) -> dict[str, str]:
    """Return every figure the result has data for as SVG text, in reading order."""
    return {name: svg(figure) for name, figure in figures_of(result).items()}


def write_drawings(drawn: Mapping[str, str], folder: Path) -> list[Path]:
    """Write figures as the only SVG files of a folder; return their paths.

    Raises
    ------
    StoreWriteError
        When the system refuses.
    """
    files = {folder / f"{name}.svg": text for name, text in drawn.items()}
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for stale in set(folder.glob("*.svg")) - files.keys():
            stale.unlink()
    for path, text in files.items():
        write(path, text.encode())
    return list(files)
