"""The machine and its twin in one figure."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes

from scenarios.drawing.space import Space, makes_figure
from scenarios.drawing.style import choose_look

from .comparison import simulate_cycles
from .machine import Machine
from .measured import Measured, load_fitted, load_measured


@makes_figure
def draw_machine(space: Space) -> None:
    """Draw spans, errors and cycles of three experiments: markers are measured, lines simulated."""
    space.set_height(5.0)
    figure = space.figure
    grid = figure.add_gridspec(2, 6)
    spans, errors = (figure.add_subplot(grid[0, 3 * k : 3 * k + 3]) for k in range(2))
    planes = [figure.add_subplot(grid[1, 2 * k : 2 * k + 2]) for k in range(3)]
    for k, plane in enumerate(planes):
        machine, measured = load_fitted(k + 1), load_measured(k + 1)
        _draw_curves(spans, errors, k, machine, measured)
        _draw_cycles(plane, k, machine, measured)
    spans.set_ylabel("squared span of the gates (V^2)")
    errors.set_ylabel("mean square error (V^2)")
    planes[0].set_ylabel("gate to the high source (V)")
    space.place_legend([spans])


def _draw_curves(spans: Axes, errors: Axes, k: int, machine: Machine, measured: Measured) -> None:
    """Draw the k-th experiment against the period."""
    fine = np.geomspace(measured.periods[0], min(measured.periods[-1], 12.0), 60)
    found, look = simulate_cycles(machine, k + 1, fine, longest=8e-3), choose_look(k)
    for axes, seen, values in ((spans, measured.span, found.span), (errors, measured.error, found.error)):
        axes.loglog(measured.periods, seen, linestyle="none", label=f"experiment {k + 1}, measured", **look)
        axes.loglog(fine, values, color=look["color"], label=f"experiment {k + 1}, simulated")
        axes.set_xlabel("full period (s)")


def _draw_cycles(axes: Axes, k: int, machine: Machine, measured: Measured) -> None:
    """Draw the measured cycles of the k-th experiment, and those that are simulated at their periods."""
    look = choose_look(k) | {"markersize": 2.5}
    for cycle in measured.cycles:
        path = simulate_cycles(machine, k + 1, np.array([cycle.period]), records=60).values[0]
        axes.plot(*cycle.gates.T, linestyle="none", **look)
        axes.plot(*path.T, color=look["color"])
        lowest = path[np.argmin(path[:, 1])]
        axes.annotate(f"{cycle.period:g} s", lowest, (0, -12), textcoords="offset points", fontsize=8, ha="center")
    axes.set_xlabel("gate to the low source (V)")
    axes.set_title(f"experiment {k + 1}", fontsize=9)
    axes.margins(0.18)
