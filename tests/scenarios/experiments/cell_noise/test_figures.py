"""The figure of a sweep of noise of cells: what it shows, and when there is none."""

import numpy as np
import pytest

from scenarios.experiments.cell_noise.figures import TIME, draw_noise_over_time, has_noise_over_time
from scenarios.results.store import ResultData, Variable

SIZE = "devices.weights.noise.relative"
MEASURED = np.arange(1.0, 25.0).reshape(2, 3, 2, 1, 2)


def result(dims=(SIZE, TIME, "replicate", "scheme", "layer"), values=MEASURED):
    labels = {SIZE: [0.01, 0.1], TIME: [0.1, 1.0, 10.0], "layer": ["l1", "out"], "scheme": ["centred, beta 0.2"]}
    group = {name: Variable((name,), np.array(values)) for name, values in labels.items()}
    group |= {"measured": Variable(dims, values), "expected": Variable(dims, 2.0 * values)}
    return ResultData({}, {"cell_noise": group})


def test_every_layer_has_a_panel_with_measured_markers_and_lines_of_the_law():
    figure = draw_noise_over_time(result())
    assert [axes.get_title() for axes in figure.axes] == ["layer l1", "layer out"]
    law, markers = figure.axes[1].lines[2:4]
    expected = MEASURED[1, :, :, 0, 1].mean(axis=1)
    np.testing.assert_array_equal(markers.get_xdata(), [0.1, 1.0, 10.0])
    np.testing.assert_allclose(markers.get_ydata(), expected, rtol=1e-15)
    np.testing.assert_allclose(law.get_ydata(), 2.0 * expected, rtol=1e-15)
    assert markers.get_label() == "relative 0.1"


def test_the_order_of_the_axes_makes_no_difference():
    turned = result((TIME, SIZE, "replicate", "scheme", "layer"), MEASURED.swapaxes(0, 1))
    first, second = draw_noise_over_time(result()), draw_noise_over_time(turned)
    for a, b in zip(first.axes[0].lines, second.axes[0].lines, strict=True):
        np.testing.assert_array_equal(a.get_ydata(), b.get_ydata())


@pytest.mark.parametrize("found", [ResultData({}, {}), result((SIZE, "other", "replicate", "scheme", "layer"))])
def test_without_times_there_is_no_figure(found):
    assert not has_noise_over_time(found)
