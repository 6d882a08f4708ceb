"""Figures of the ledger and of mismatch show the numbers they are given."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from scenarios.drawing.style import render_svg
from scenarios.experiments.ledger.figures import draw_causes, draw_connection_causes, draw_waterfall
from scenarios.experiments.ledger.panels import format_error
from scenarios.experiments.ledger.rows import make_whole_rows
from scenarios.experiments.matching.figures import draw_mismatch
from scenarios.experiments.measure.words import find_largest_cause
from scenarios.results.store import Variable
from tests.scenarios import result_files
from tests.scenarios.report.test_figures import drawn, named

pytestmark = pytest.mark.figures

TERMS = ("asymmetry", "finite_nudge", "settling", "precision", "readout", "noise")
SIZES = np.array([[0.16, 0.007, 0.001, 0.0, 0.09, 0.02], [0.08, 0.004, 0.0005, 0.0, 0.05, 0.01]])


def ledger(layers=("l1", "out"), **changes):
    """Return a result with a ledger of six causes, the second scheme twice as wrong as the first."""
    sizes = np.resize(SIZES, (len(layers), len(TERMS)))
    relative = np.stack([sizes, 2.0 * sizes])
    both = ("scheme", "layer")
    group = {
        "scheme": Variable(("scheme",), np.array(["centred, beta 0.1", "centred, beta 0.2"])),
        "layer": Variable(("layer",), np.array(layers)),
        "term": Variable(("term",), np.array(TERMS)),
        "median": Variable((*both, "term"), relative),
        "relative": Variable((*both, "term"), 1.5 * relative),
        "dithered_median": Variable(both, relative[..., 4]),
        "dithered": Variable(both, 1.5 * relative[..., 4]),
        "total_median": Variable(both, np.sqrt((relative**2).sum(axis=2))),
        "total": Variable(both, 1.5 * np.sqrt((relative**2).sum(axis=2))),
        "cosine_after": Variable((*both, "term"), 1.0 - 0.5 * np.cumsum(relative**2, axis=2)),
        **dict.fromkeys(("spread", "spread_median"), Variable((*both, "term"), scattering(len(layers), 0.4))),
    }
    group |= {name: group[name]._replace(data=data) for name, data in changes.items()}
    return result_files.result({"ledger": group})


def scattering(layers, size):
    """Return how single measurements scatter: noise alone does."""
    spread = np.zeros((2, layers, len(TERMS)))
    spread[..., TERMS.index("noise")] = size
    return spread


def dots(axes):
    """Return the place of every dot by its row."""
    return {int(y): float(x) for line in axes.lines if line.get_marker() == "o" for x, y in line.get_xydata()}


def titles(figure):
    """Return what stands above every block of panels."""
    return [block.get_suptitle() for block in figure.subfigs]


def numbers(axes):
    return [text.get_text() for text in axes.texts]


ROWS = ["asymmetry", "finite nudge", "settling", "readout + noise", "- readout", "- noise", "total", "one measurement"]
"""Of the ledger above; its precision is 0 everywhere and has no row."""


@pytest.mark.parametrize("scheme", [0, 1])
def test_every_cause_has_a_dot_for_the_median_its_number_and_a_tick_for_the_rms(scheme):
    result = ledger()
    figure = draw_causes(result, scheme)
    for k, axes in enumerate(figure.axes):
        sizes, total = (result["ledger"][name].data[scheme, k] for name in ("median", "total_median"))
        values = np.array([*sizes[:3], sizes[4], *sizes[4:], total, 0.4])
        first = axes.get_xlim()[0]
        seen = np.flatnonzero(values > first)
        assert dots(axes) == {int(row): pytest.approx(values[row]) for row in seen}
        assert numbers(axes) == [format_error(v, first) for v in values]
        assert axes.yaxis_inverted()
        assert axes.lines[0].get_xdata()[0] == total
        (rms,) = [line for line in axes.lines if line.get_marker() == "|"]
        ticks = dict(zip(rms.get_ydata(), rms.get_xdata(), strict=True))
        assert all(ticks[place] == pytest.approx(1.5 * values[place]) for place in (0, 3, 4, 6))
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == ROWS


@settings(max_examples=200, deadline=None)
@given(some.floats(1e-9, 10.0), some.floats(1e-9, 1.0))
def test_a_bound_is_above_what_it_bounds(value, first):
    text = format_error(value, first)
    if text.startswith("< "):
        assert value <= first
        assert 100.0 * value <= float(text[2:]) * (1.0 + 1e-9)
    else:
        assert float(text) == pytest.approx(100.0 * value, rel=0.006)


def test_the_parts_of_the_finite_nudge_stand_below_it():
    result = ledger()
    parts, both = np.array([[[0.006, 0.002]] * 2] * 2), ("scheme", "layer", "part")
    result["ledger"].update(
        part=Variable(("part",), np.array(["goal", "nudge_bias"])),
        part_median=Variable(both, parts),
        part_relative=Variable(both, 1.5 * parts),
    )
    axes = draw_causes(result, 0).axes[0]
    rows = [text.get_text() for text in axes.get_yticklabels()]
    assert rows[:5] == ["asymmetry", "finite nudge", "- goal", "- nudge bias", "settling"]
    assert (dots(axes)[2], dots(axes)[3]) == (pytest.approx(0.006), pytest.approx(0.002))


@pytest.mark.parametrize("largest", [*range(4), "one measurement"])
def test_the_last_full_dot_is_the_cause_that_is_blamed(largest):
    """Readout and noise cancel: each alone is larger than any other cause, both together are not."""
    sizes = np.full((2, 2, 6), 0.01)
    sizes[..., 4:] = 0.9
    spread = scattering(2, 0.5 if largest == "one measurement" else 0.03)
    if largest != "one measurement":
        sizes[1, 1, largest] = 0.5
    result = ledger(median=sizes, dithered_median=np.full((2, 2), 0.02), spread_median=spread)
    group = result["ledger"]
    # The second scheme is the better one.
    group["total_median"].data[:] = [[0.8], [0.5]]
    found = find_largest_cause(group)
    figure = draw_causes(result)
    assert titles(figure) == ["centred, beta 0.1", "centred, beta 0.2 (smallest error of 2 schemes)"]
    axes = figure.subfigs[found.scheme].axes[found.place]
    rows = [text.get_text() for text in figure.axes[0].get_yticklabels()]
    full = {rows[row]: x for row, x in dots(axes).items() if not rows[row].startswith("- ")}
    longest = max((name for name in full if name != "total"), key=full.get)
    assert longest == (largest if largest == "one measurement" else TERMS[largest].replace("_", " "))
    assert found.terms == (("noise",) if largest == "one measurement" else (TERMS[largest],))


@pytest.mark.parametrize("best", [0, 1])
def test_schemes_that_share_their_largest_cause_are_told_apart_by_their_whole_error(best):
    sizes = np.stack([SIZES, SIZES])
    sizes[1 - best, :, 1] *= 10.0
    whole = {"median": sizes, "total_median": np.sqrt((sizes**2).sum(axis=2)), "dithered_median": np.zeros((2, 2))}
    for noise, blamed in ((0.4, "noise"), (0.0, "asymmetry")):
        found = find_largest_cause(ledger(**whole, spread_median=scattering(2, noise))["ledger"])
        assert (found.scheme, found.terms) == (best, (blamed,))


def test_every_scheme_has_its_block_of_panels_on_the_same_axes():
    result = ledger()
    figure = draw_causes(result)
    assert len({axes.get_xlim() for axes in figure.axes}) == len({axes.get_ylim() for axes in figure.axes}) == 1
    for s, block in enumerate(figure.subfigs):
        for k, axes in enumerate(block.axes):
            assert axes.lines[0].get_xdata()[0] == result["ledger"]["total_median"].data[s, k]
            assert dots(axes)[0] == result["ledger"]["median"].data[s, k, 0]
    assert [" ".join(axes.get_title().split()) for axes in draw_waterfall(result).axes] == titles(figure)


def test_of_many_schemes_the_best_of_each_kind_are_drawn_and_of_many_layers_the_ends():
    kinds = [("one-sided", 0.2), ("one-sided", 0.1), ("centred", 0.2), ("centred", 0.1), ("circle 4", 0.4)]
    labels = np.array([f"{kind}, beta {beta:g}" for kind, beta in kinds])
    result = result_files.result(result_files.measured(tuple("abcdefg"), tuple(labels)))
    group = result["ledger"]
    for k, (_, beta) in enumerate(kinds):
        for name in ("median", "relative", "total", "total_median"):
            group[name].data[k] = beta
    group["total_median"].data[3] = 0.05
    figure = draw_causes(result)
    assert titles(figure) == [labels[1], f"{labels[3]} (smallest error of 5 schemes)", labels[4]]
    assert [axes.get_title() for axes in figure.subfigs[0].axes] == ["a", "f", "g"]
    assert [axes.get_title() for axes in draw_causes(result, 2).axes] == ["a", "b", "c", "e", "f", "g"]


@pytest.mark.parametrize("width", ["one-column", "two-column"])
def test_numbers_stand_beside_their_panels(width):
    figure = draw_causes(ledger(), width=width)
    renderer = drawn(figure).get_renderer()
    rights = [axes.get_window_extent().x1 for axes in figure.axes]
    for axes, right in zip(figure.axes, rights, strict=True):
        boxes = [text.get_window_extent(renderer) for text in axes.texts]
        assert min(box.x0 for box in boxes) > right
        beyond = [other.get_window_extent().x0 for other in figure.axes if other.get_window_extent().x0 > right]
        assert max(box.x1 for box in boxes) < min([*beyond, figure.bbox.x1])


def test_what_only_connections_have_is_drawn_per_connection():
    terms = np.array(["asymmetry", "presynaptic", "write"])
    relative = np.array([[[0.1, 0.02, 0.5], [0.2, 0.03, 0.6], [np.nan] * 3]])
    total = np.array([[0.51, 0.63, np.nan]])
    group = {
        "scheme": Variable(("scheme",), np.array(["centred, beta 0.1"])),
        "term": Variable(("term",), terms),
        "connection": Variable(("connection",), np.array(["in-l1", "l1-out", "out-l1"])),
        "relative": Variable(("scheme", "connection", "term"), relative),
        "spread": Variable(("scheme", "connection", "term"), 0.1 * relative),
        "total": Variable(("scheme", "connection"), total),
    }
    figure = draw_connection_causes(
        result_files.result({"ledger/connections": group, "ledger": {"scheme": group["scheme"]}}), 0
    )
    assert [axes.get_title() for axes in figure.axes] == ["in-l1", "l1-out"]
    assert numbers(figure.axes[1]) == ["20", "3", "60", "63"]
    layers = {name: v for name, v in group.items() if name != "connection"}
    layers["layer"] = Variable(("layer",), np.array(["l1", "l2", "out"]))
    layers |= dict.fromkeys(("cosine_after", "median"), layers["relative"])
    layers |= {"total_median": layers["total"], "spread_median": layers["spread"]}
    result = result_files.result({"ledger": layers})
    assert [label.get_text() for label in draw_causes(result, 0).axes[0].get_yticklabels()] == ["asymmetry", "total"]
    assert [label.get_text() for label in draw_waterfall(result, 0).axes[0].get_xticklabels()] == ["exact", "asymmetry"]


def test_what_lies_below_the_axis_is_not_lost():
    tiny = ledger(median=np.stack([SIZES * [1, 1, 1, 1, 1, 1e-9]] * 2))
    (axes, *_) = draw_causes(tiny).axes
    (arrows,) = [line for line in axes.lines if line.get_marker() == "<"]
    place = ROWS.index("- noise")
    assert list(arrows.get_xydata().ravel()) == [axes.get_xlim()[0], place]
    assert place not in dots(axes)
    assert numbers(axes)[place] == format_error(2e-11, axes.get_xlim()[0])


def test_a_ledger_without_a_measurement_has_no_spread():
    without = ledger(spread=np.zeros((2, 2, 6)), spread_median=np.zeros((2, 2, 6)))
    assert "one measurement" not in [text.get_text() for text in draw_causes(without).axes[0].get_yticklabels()]


def test_nothing_measured_is_shown_as_nothing():
    names = ("median", "relative", "spread", "spread_median", "total", "total_median", "dithered", "dithered_median")
    empty = ledger(**{n: np.full((2, 2, 6) if n in names[:4] else (2, 2), np.nan) for n in names})
    assert set(numbers(draw_causes(empty).axes[0])) == {"-"}


def test_the_waterfall_begins_at_the_exact_gradient():
    result = ledger()
    figure = draw_waterfall(result, 1)
    for k, line in enumerate(figure.axes[0].lines):
        np.testing.assert_allclose(line.get_ydata(), np.append(1.0, result["ledger"]["cosine_after"].data[1, k]))
    ticks = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert ticks == ["exact", *(term.replace("_", " ") for term in TERMS)]
    assert figure.axes[0].get_title() == "centred, beta 0.2"


def spread_group(zero=False):
    sigma = np.array([0.0 if zero else 0.01, 0.1, 0.5])
    cosine = 1.0 - np.multiply.outer(sigma**2, np.outer([0.9, 1.0, 1.1], [1.0, 0.5]))
    cosine[2, 0, 0] = np.nan
    return {
        "sigma": Variable(("sigma",), sigma),
        "instance": Variable(("instance",), np.arange(3)),
        "layer": Variable(("layer",), np.array(["l1", "out"])),
        "cosine": Variable(("sigma", "instance", "layer"), cosine),
        "rule": Variable(("sigma", "layer"), 1.0 - np.outer(sigma**2, [1.0, 0.5])),
    }


@pytest.mark.parametrize("zero", [False, True])
def test_mismatch_shows_chips_their_mean_and_the_rule(zero):
    group = spread_group(zero)
    (axes,) = draw_mismatch(group).axes
    for k in range(2):
        points, mean, rule = axes.lines[3 * k : 3 * k + 3]
        np.testing.assert_array_equal(points.get_ydata(), group["cosine"].data[int(zero) :, :, k].ravel())
        np.testing.assert_allclose(mean.get_ydata(), np.nanmean(group["cosine"].data[int(zero) :, :, k], axis=1))
        np.testing.assert_array_equal(rule.get_ydata(), group["rule"].data[int(zero) :, k])
        np.testing.assert_array_equal(rule.get_xdata(), group["sigma"].data[int(zero) :])
    assert [text.get_text() for text in axes.get_xticklabels()] == (["10", "50"] if zero else ["1", "10", "50"])


@pytest.mark.parametrize(
    "draw",
    [
        lambda: draw_causes(ledger()),
        lambda: draw_causes(ledger(tuple(f"layer{i}" for i in range(6)))),
        lambda: draw_waterfall(ledger()),
        lambda: draw_mismatch(spread_group()),
    ],
)
def test_axes_are_named_and_nothing_lies_outside(draw):
    figure = draw()
    canvas = drawn(figure)
    below = [part.get_supxlabel() for part in figure.subfigs]
    assert all(below) if below else all(axes.get_xlabel() for axes in named(figure))
    box = figure.get_tightbbox(canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert min(box.x0, box.y0, width - box.x1, height - box.y1) > -0.01
    assert render_svg(figure).startswith("<?xml")


def test_a_sum_that_noise_buries_is_not_called_zero():
    """Its square less that of the noise is below 0; without noise, or of a cause that is off, 0 is 0."""
    zeros = np.zeros((2, 2))
    rows = make_whole_rows(ledger(total_median=zeros)["ledger"], 0)
    assert np.isnan(rows["total"]).all()
    assert np.isfinite(rows["readout + noise"]).all()
    assert (rows["precision"] == 0.0).all()
    quiet = dict.fromkeys(("spread", "spread_median"), scattering(2, 0.0))
    assert (make_whole_rows(ledger(total_median=zeros, **quiet)["ledger"], 0)["total"] == 0.0).all()
