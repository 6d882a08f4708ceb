"""Figures exist for what a result holds, show its numbers, and can be read in print and in grey."""

import re
from itertools import combinations
from pathlib import Path
from xml.dom import minidom

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb

from scenarios.drawing.space import WIDTHS
from scenarios.drawing.style import COLOURS, choose_look, format_plain_text
from scenarios.experiments.figures import list_registered_figures
from scenarios.experiments.ledger.figures import draw_cosine
from scenarios.experiments.measure.signal_figures import draw_signal
from scenarios.experiments.train.figures import draw_angles, draw_epoch_cosines, draw_training
from scenarios.report import figures
from scenarios.results.store import Variable
from substrate.protocol import Status
from tests.scenarios import result_files
from tests.scenarios.report.in_print import find_print_faults

pytestmark = pytest.mark.figures

MANY = tuple(f"{kind}, beta {beta:g}" for kind in ("one-sided", "centred", "circle 4") for beta in (0.4, 0.2, 0.1))


def drawn(figure):
    """Draw a figure, where it would be drawn by a screen; return the canvas."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return canvas


def named(figure):
    """Return the axes that are there and whose ticks are named; of panels that share an axis, the last."""
    return [axes for axes in figure.axes if axes.axison and any(tick.get_visible() for tick in axes.get_xticklabels())]


def lines(figure, panel=0):
    """Return label and data of every line of a panel."""
    return {line.get_label(): line for line in figure.axes[panel].lines}


def settled(samples=2, phases=("free", "beta +0.2")):
    time = np.arange(50) * 0.5
    decay = np.exp(-time)[None, :, None] * np.ones((len(phases), 1, samples))
    group = {
        "phase": Variable(("phase",), np.array(phases)),
        "time": Variable(("time",), time, "tau"),
        "distance": Variable(("phase", "time", "sample"), decay),
        "status": Variable(("phase", "sample"), np.zeros((len(phases), samples), np.int8), flags=Status),
    }
    return result_files.result({"settling": group})


RESULTS = {
    "train": result_files.trained(10, exact=True),
    "long": result_files.result({"metrics": result_files.metrics(300, pairs=False)}),
    "measure": result_files.result(result_files.measured()),
    "many": result_files.result(result_files.measured(schemes=MANY)),
    "deep": result_files.result(result_files.measured(layers=tuple(f"a_rather_long_name_{i}" for i in range(20)))),
    "settle": settled(),
    "crowd": settled(50, tuple(f"beta {k}" for k in range(30))),
    "evaluate": result_files.evaluated(),
    "study": result_files.result({"nudge": result_files.nudges()}),
}

WANTED = {
    "train": ["training", "cosine", "causes", "waterfall", "angles", "cosine_by_epoch", "signal"],
    "long": ["training", "angles"],
    "measure": ["causes", "cosine", "waterfall", "signal"],
    "many": ["causes", "cosine", "waterfall", "signal", "nudge"],
    "deep": ["causes", "cosine", "waterfall", "signal"],
    "settle": ["settling"],
    "crowd": ["settling"],
    "evaluate": ["chips"],
    "study": ["nudge_study", "schemes"],
}


WIDE = {"many", "deep"}
"""Larger cases of the figures of `measure`; the default suite looks at them on a screen alone."""


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] if kind in WIDE else []) for kind in RESULTS]
)
def test_every_figure_there_is_data_for_is_written(tmp_path, kind):
    paths = figures.write_svgs(figures.draw_svgs(RESULTS[kind]), tmp_path / "figures")
    assert [path.stem for path in paths] == WANTED[kind]
    for path in paths:
        minidom.parse(str(path))  # noqa: S318  our own file
        assert path.stat().st_size < 200_000
        assert "Date" not in path.read_text()
    assert set(WANTED[kind]) <= list_registered_figures().keys()


def test_the_page_of_outputs_names_every_figure():
    page = (Path(__file__).parents[3] / "docs/reference/outputs.md").read_text(encoding="utf-8")
    own = [name for name, one in list_registered_figures().items() if one.draw.__module__.startswith("scenarios.")]
    assert [name for name in own if f"`{name}`" not in page] == []


@pytest.mark.parametrize("kind", RESULTS)
def test_every_axis_is_named_and_nothing_lies_outside_the_figure(kind):
    for name, figure in figures.draw_figures(RESULTS[kind]).items():
        renderer = drawn(figure).get_renderer()
        # Where causes are named on the vertical axis, the horizontal one has the unit.
        below = [part.get_supxlabel() for part in (figure, *figure.subfigs) if part.get_supxlabel()]
        assert below or all(axes.get_xlabel() for axes in named(figure)), name
        numbers = figure.axes[0].get_ylabel() or below[0]
        assert re.search(r"\(.+\)|cosine|/ exact", numbers), f"{name}: no unit"
        box = figure.get_tightbbox(renderer)
        width, height = figure.get_size_inches()
        assert min(box.x0, box.y0, width - box.x1, height - box.y1) > -0.01, name
        assert min(axes.get_window_extent().height for axes in figure.axes) > 0.5 * figure.dpi, name


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] if kind in WIDE else []) for kind in RESULTS]
)
def test_every_text_can_be_read_in_print(kind, width):
    for name, figure in figures.list_figures(RESULTS[kind]).items():
        assert find_print_faults(figure.draw(width=width)) == [], name


def simulate_deuteranopia(colour):
    """Return a colour as CIE Lab, as eyes without medium cones see it (Machado, Oliveira and Fernandes 2009)."""
    linear = np.array([c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour)])
    seen = np.clip(DEUTERANOPIA @ linear, 0.0, 1.0)
    xyz = XYZ @ seen / XYZ.sum(axis=1)
    x, y, z = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


DEUTERANOPIA = np.array(
    [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
)
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def test_colours_of_seven_curves_are_told_apart_without_medium_cones():
    """A distance of 2.3 is just seen; all seven of one figure are several times farther apart."""
    seen = [simulate_deuteranopia(colour) for colour in COLOURS[:7]]
    assert min(np.linalg.norm(a - b) for a, b in combinations(seen, 2)) > 8.0


def test_the_same_result_gives_the_same_bytes(tmp_path):
    first, second = (figures.write_svgs(figures.draw_svgs(RESULTS["settle"]), tmp_path / name) for name in "ab")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


def test_training_shows_the_numbers_and_the_exact_gradients_dashed():
    figure = draw_training(RESULTS["train"])
    error = lines(figure, 1)
    assert set(error) == {
        "training samples",
        "test samples",
        "training samples, exact gradients",
        "test samples, exact gradients",
    }
    measured, exact = error["test samples"], error["test samples, exact gradients"]
    np.testing.assert_allclose(measured.get_ydata(), 100.0 * RESULTS["train"]["metrics"]["error_test"].data)
    assert (measured.get_linestyle(), exact.get_linestyle()) == ("-", "--")
    assert measured.get_color() == exact.get_color()
    assert measured.get_markerfacecolor() != exact.get_markerfacecolor()
    assert len(lines(draw_training(RESULTS["long"]), 1)) == 2


def test_a_training_without_classes_shows_its_loss_only():
    group = result_files.metrics(3)
    for part in ("train", "test"):
        group[f"error_{part}"] = Variable(("epoch",), np.full(4, np.nan))
    assert len(draw_training(result_files.result({"metrics": group})).axes) == 1


@pytest.mark.parametrize(("last", "scale"), [(1e30, "log"), (np.inf, "linear"), (2.0, "linear")])
def test_an_exploding_loss_hides_nothing(last, scale):
    group = result_files.metrics(3)
    group["loss_test"] = Variable(("epoch",), np.array([2.3, 2.0, 5.0, last]))
    figure = draw_training(result_files.result({"metrics": group}))
    assert figure.axes[0].get_yscale() == scale
    drawn(figure)


def test_a_training_that_failed_at_once_still_has_its_figures():
    group = {
        name: v._replace(data=np.full(np.shape(v.data), np.nan)) if np.asarray(v.data).dtype.kind == "f" else v
        for name, v in result_files.metrics(1).items()
    }
    made = figures.draw_figures(result_files.result({"metrics": group}))
    assert list(made) == ["training", "angles"]
    for figure in made.values():
        drawn(figure)
        assert all(np.isnan(line.get_ydata()).all() for panel in figure.axes for line in panel.lines)


def test_angles_shows_each_pair_and_both_symmetries():
    figure = draw_angles(RESULTS["train"])
    group = RESULTS["train"]["metrics"]
    assert list(lines(figure)) == list(group["pair"].data)
    np.testing.assert_array_equal(lines(figure)["l1-l2 / l2-l1"].get_ydata(), group["angle_weights"].data[:, 0])
    symmetry = lines(figure, 1)
    np.testing.assert_array_equal(symmetry["symmetry of W"].get_ydata(), group["symmetry_couplings"].data)
    np.testing.assert_array_equal(symmetry["symmetry of W - 1"].get_ydata(), group["symmetry_reference"].data)
    colours = [line.get_color() for k in (0, 1) for line in lines(figure, k).values()]
    assert len(set(colours)) == 4, "one key serves both panels"
    assert len(draw_angles(RESULTS["long"]).axes) == 2


def test_measured_figures_of_a_training_show_the_last_epoch():
    result = RESULTS["train"]
    markers = draw_cosine(result).axes[0].containers[0].lines[0]
    np.testing.assert_array_equal(markers.get_ydata(), result["gradient"]["cosine"].data[-1, 0])
    by_epoch = lines(draw_epoch_cosines(result))
    np.testing.assert_array_equal(by_epoch["l2"].get_ydata(), result["gradient"]["cosine"].data[:, 0, 1])
    np.testing.assert_array_equal(by_epoch["l2"].get_xdata(), result["gradient"]["epoch"].data)


def test_signal_shows_activity_error_and_the_smallest_and_largest_nudge():
    shown, group = lines(draw_signal(RESULTS["many"])), RESULTS["many"]["signal"]
    assert list(shown) == [
        "activity",
        "exact dL/d drive",
        "change to be read at beta 0.1",
        "change to be read at beta 0.4",
    ]
    np.testing.assert_array_equal(shown["change to be read at beta 0.4"].get_ydata(), group["evoked"].data[0])
    assert draw_signal(RESULTS["many"]).axes[0].get_yscale() == "log"


def test_of_many_schemes_the_best_nudge_of_each_kind_is_drawn():
    figure = draw_cosine(RESULTS["many"])
    assert [c.get_label() for c in figure.axes[0].containers] == [MANY[2], MANY[5], MANY[8]]
    assert len(draw_cosine(RESULTS["measure"]).axes[0].containers) == 2


def test_curves_differ_without_colour():
    looks = [choose_look(k) for k in range(36)]
    assert len({(a["color"], a["marker"]) for a in looks}) == 36
    assert len({a["color"] for a in looks}) == len(COLOURS) == 12
    assert len({a["marker"] for a in looks[: len(COLOURS)]}) == len(COLOURS)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("l1", "l1"), ("$x$", r"\$x\$"), ("\u03b2\n\x1b", "???"), (49 * "a" + "z", 24 * "a" + "..." + 12 * "a" + "z")],
)
def test_text_in_figures_is_plain(text, wanted):
    assert format_plain_text(text) == wanted
