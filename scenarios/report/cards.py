"""The card of a published device: what its cells do, with figures and the source of every value."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from devices.programming.laws import Step, Update, Verified
from devices.programming.pulse import compute_step_multiplier
from devices.programming.sampled import make_nominal_cells
from devices.random import Stream
from devices.synapse.retention import Retention, apply_retention, sample_retention
from substrate.chip.programming import Writer

from ..drawing.page import Plot, embed_svg, render_page
from ..drawing.sheet import Sheet
from ..drawing.space import Space, makes_figure
from ..drawing.style import COLOURS, render_svg
from ..language.device_presets import USABLE, DevicePreset, find_preset_table
from ..results.disk import write_file

Array = NDArray[np.float64]

_POINTS, _CELLS = 150, 400
_CAPTIONS = {
    "pulses": (
        "Pulses. Weight of a cell under up pulses from its lower bound, then down pulses. Line: the cell without "
        "spread and noise. Band: 10 % to 90 % of 400 cells of one chip, noise from pulse to pulse included. Dashed: "
        "the symmetry point, to which alternating pulses drive every weight."
    ),
    "pairs": (
        "Pulses. Weight of a pair of one-sided devices, both at rest at first, under pulses of one and then of the "
        "other. Line: the pair without spread and noise. Band: 10 % to 90 % of 400 pairs of one chip, noise from pulse "
        "to pulse included. A pair that is full is refreshed on the way down."
    ),
    "programming": "Programming. Standard deviation of what a verified cell reaches, over the size of its target.",
    "forgetting": (
        "Retention. What is left of a weight of 1 over the time since it was written. Line: the cell without spread. "
        "Band: 10 % to 90 % of 400 cells."
    ),
}


class PulseCurves(NamedTuple):
    """Weights over pulses, up first."""

    pulses: Array
    """Pulses so far, (points,)."""

    turn: int
    """Point at which the pulses turn down."""

    nominal: Array
    """Cell without spread and noise, (points,)."""

    low: Array
    """A tenth of the cells are below, (points,)."""

    high: Array
    """A tenth of the cells are above, (points,)."""


def compute_pulse_curves(law: Step) -> PulseCurves:
    """Return what trains of up and down pulses do to the cells of one chip."""
    clean = make_nominal_cells(law)
    low, high = float(clean.low - clean.reference), float(clean.high - clean.reference)
    # Soft ends take longer than the range over the step.
    each = max(1, round(2.0 * (high - low) / law.step / _POINTS))
    ideal = law.model_copy(
        update={n: 0.0 for n in type(law).model_fields if n.endswith("_sigma") or n in {"write_noise", "offset"}}
    )
    signs = [1.0] * _POINTS + [-1.0] * _POINTS
    line, cells = (_follow_pulses(some, low, each, signs) for some in (ideal, law))
    below, above = np.quantile(cells, (0.1, 0.9), axis=1)
    return PulseCurves(each * np.arange(len(signs) + 1.0), _POINTS, line[:, 0], below, above)


def _follow_pulses(law: Step, start: float, each: int, signs: list[float]) -> Array:
    """Return what is felt of every cell after every train of `each` pulses, (points, cells)."""
    counted = law.model_copy(update={"rounding": "nearest"})
    writer = Writer(counted, Retention(), {"cell": (1, _CELLS)}, lambda name: Stream(0, name), {})
    w = np.full((1, _CELLS), start)
    if writer.pairs is None:
        own = writer.cells["cell"]
        w = np.clip(w, own.low - own.reference, own.high - own.reference)
    felt = [writer.compute_effective("cell", w)[0]]
    for k, sign in enumerate(signs):
        w = writer.write("cell", w, np.full(w.shape, sign * each * law.step), str(k)).weight
        felt.append(writer.compute_effective("cell", w)[0])
    return np.array(felt)


def find_symmetry_weight(law: Step) -> float | None:
    """Return the weight at which an up and a down pulse cancel, or None where no or every weight is such.

    That of a one-sided pair depends on what both devices have in common.
    """
    if law.one_sided is not None:
        return None
    cell, shape = make_nominal_cells(law), law.shape()
    low, high = float(cell.low), float(cell.high)
    grid = np.linspace(low, high, 4001)[1:-1]

    def step(up: int, w: float) -> float:
        bend, size = (cell.bend_up, cell.step_up) if up else (cell.bend_down, cell.step_down)
        args = (low, high, float(bend), shape.curves[up], shape.nodes[up])
        return float(size) * compute_step_multiplier(shape.code, w, *args)

    more = np.array([step(1, w) - step(0, w) for w in grid])
    crossed = np.flatnonzero((more[:-1] > 0.0) & (more[1:] <= 0.0))
    if len(crossed) == 0 or np.abs(more).max() < 1e-12 * law.step:
        return None
    k = crossed[0]
    point = float(grid[k] + (grid[k + 1] - grid[k]) * more[k] / (more[k] - more[k + 1]) - cell.reference)
    return point if abs(point) > 1e-9 * (high - low) else 0.0


@makes_figure
def draw_pulses(space: Space, law: Step) -> None:
    """Draw weights over pulses."""
    found, point = compute_pulse_curves(law), find_symmetry_weight(law)
    (axes,) = space.make_panels()
    axes.fill_between(
        found.pulses, found.low, found.high, color=COLOURS[5], alpha=0.35, lw=0, label="10 % to 90 % of 400 cells"
    )
    axes.plot(found.pulses, found.nominal, color=COLOURS[0], label="without spread and noise")
    if point is not None:
        axes.axhline(point, color=COLOURS[1], lw=0.8, ls="--", label=f"symmetry point {point:.3g}")
    axes.axvline(found.pulses[found.turn], color="0.6", lw=0.8)
    axes.set_xlabel("pulses: up, then down")
    axes.set_ylabel("weight")
    space.place_legend([axes])


@makes_figure
def draw_programming(space: Space, law: Verified) -> None:
    """Draw the spread of what is reached over the target."""
    x = np.linspace(0.0, 1.0, 200)
    error = np.maximum(np.polynomial.polynomial.polyval(x, law.error), 0.0)
    (axes,) = space.make_panels()
    axes.plot(x * law.w_max, law.w_max * error, color=COLOURS[0])
    axes.set_ylim(0.0, 1.1 * law.w_max * error.max())
    axes.set_xlabel("size of the target weight")
    axes.set_ylabel("standard deviation\nof the weight reached")


@makes_figure
def draw_forgetting(space: Space, law: Retention) -> None:
    """Draw what is left of a weight over time."""
    last = 3.0 * law.leak_tau if law.leak_tau is not None else 1e8
    times = np.geomspace(1e-6 * last if law.leak_tau else 1.0, last, 200)
    still = law.model_copy(
        update={"leak_tau_sigma": 0.0, "drift_sigma": 0.0, "drift_sigma_slope": 0.0, "drift_sigma_range": None}
    )
    line, band = (
        apply_retention(
            some,
            np.ones((200, n)),
            np.repeat(times[:, None], n, axis=1),
            sample_retention(some, (1, n), lambda name: Stream(0, name)),
        )
        for some, n in ((still, 1), (law, _CELLS))
    )
    below, above = np.quantile(band, (0.1, 0.9), axis=1)
    (axes,) = space.make_panels()
    axes.fill_between(times, below, above, color=COLOURS[5], alpha=0.35, lw=0, label="10 % to 90 % of 400 cells")
    axes.plot(times, line[:, 0], color=COLOURS[0], label="without spread")
    axes.set_xscale("log")
    axes.set_ylim(0.0, 1.1)
    axes.set_xlabel("time since the write (s)")
    axes.set_ylabel("share of the weight left")
    space.place_legend([axes])


def write_card(preset: DevicePreset, path: Path) -> None:
    """Write the card of a device as one HTML file.

    Raises
    ------
    StoreWriteError
        When the system refuses.
    """
    write_file(path, render_card(preset).encode("utf-8"))


def render_card(preset: DevicePreset) -> str:
    """Return the card of a device as HTML text."""
    figures, words = {}, []
    if "update" in preset.tables:
        law: Step | Verified = TypeAdapter(Update).validate_python(preset.values("update"))
        words.append(f'Take it over: [devices] update = {{ preset = "{preset.name}" }}.')
        if isinstance(law, Verified):
            figures["programming"] = draw_programming(law)
        else:
            figures["pulses" if law.one_sided is None else "pairs"] = draw_pulses(law)
            words.append(_describe_symmetry_point(law))
    if "retention" in preset.tables:
        figures["forgetting"] = draw_forgetting(Retention(**preset.values("retention")))
        words.append(f'What it forgets: [devices] retention = {{ preset = "{preset.name}" }}.')
    blocks = [
        name for name in USABLE if name not in ("update", "retention") and find_preset_table(name) in preset.tables
    ]
    if blocks:
        tables = ", ".join(f'{name} = {{ preset = "{preset.name}" }}' for name in blocks)
        words.append(f"Take it over: [devices] {tables}; a key written beside it wins.")
    if not figures and not blocks:
        words.append("Its values are for reading: write them into the tables of [devices] by hand.")
    content: dict[str, Any] = {
        **dict.fromkeys(("created", "id", "tone", "terminal", "written", "resolved", "open_lines"), ""),
        "title": preset.name,
        "software": f"nudgelab {version('nudgelab')}",
        "status": "device",
        "answer": [preset.title],
        "remarks": words,
        "plots": [Plot(n, embed_svg(n, render_svg(f), _CAPTIONS[n]), _CAPTIONS[n]) for n, f in figures.items()],
        "sheets": _make_preset_sheets(preset),
        "facts": {},
        "question": "",
        "edits": "",
        "numbers": [],
    }
    return render_page(content)


def _describe_symmetry_point(law: Step) -> str:
    if law.one_sided is not None:
        return "A pair of one-sided devices: pulses raise one or the other, and a pair that is full is refreshed."
    point = find_symmetry_weight(law)
    if point is None:
        return "Up and down pulses are equal on average, or cancel at no weight: there is no symmetry point."
    return f"Symmetry point {point:.4g}: there an up and a down pulse cancel, and alternating pulses lead to it."


def _make_preset_sheets(preset: DevicePreset) -> list[Sheet]:
    """Return the values of every table, and the sources."""
    rows = {
        table: [
            [key, str(e.value), "" if str(e.value).endswith(f" {e.unit}") else e.unit, e.source]
            for key, e in entries.items()
        ]
        for table, entries in preset.tables.items()
    }
    sheets = [Sheet(table, ["key", "value", "unit", "source"], cells, 4) for table, cells in rows.items()]
    facts = [
        [name if key == "paper" else "", key, text]
        for name, source in preset.sources.items()
        for key, text in source._asdict().items()
    ]
    return [*sheets, Sheet("Sources", ["source", "what", "text"], facts, 3)]
