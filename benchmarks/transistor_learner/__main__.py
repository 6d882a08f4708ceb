"""Compare the measured machine with its twin; ``--fit`` fits it again, ``--figure FILE`` draws both."""

from __future__ import annotations

import argparse
from pathlib import Path

from scenarios.drawing.style import render_svg

from .figure import draw_machine
from .fit import fit_machine
from .measured import load_fitted, load_measured, save_fitted
from .report import print_comparison, print_fit


def fit_all() -> None:
    """Fit every experiment and keep what was found."""
    found = {}
    for experiment in (1, 2, 3):
        fit = fit_machine(experiment, load_measured(experiment))
        ends = (fit.values - 1.96 * fit.deviation, fit.values + 1.96 * fit.deviation)
        found[experiment] = dict(zip(fit.names, zip(fit.values, *ends, strict=True), strict=True))
        print(f"\nExperiment {experiment}")
        print_fit(fit)
    save_fitted(found)


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--fit", action="store_true", help="fit again and keep the numbers; takes some minutes")
parser.add_argument("--figure", type=Path, help="SVG file to write")
options = parser.parse_args()
if options.fit:
    fit_all()
for number in (1, 2, 3):
    print_comparison(number, load_fitted(number), load_measured(number))
if options.figure:
    options.figure.write_text(render_svg(draw_machine()), encoding="utf-8")
