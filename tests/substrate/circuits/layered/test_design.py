"""Designs of layered circuits and the first values of their parameters."""

import numpy as np
import pytest

from substrate.circuits.layered.design import LayeredDesign, check_layered_design, draw_parameters

LAYERS = {"in": 200, "h1": 60, "out": 10}


def test_blocks_follow_layers_and_rails():
    assert LayeredDesign(LAYERS).blocks == {
        "conductance/in-h1": (2, 200, 60),
        "conductance/h1-out": (60, 10),
        "current/h1": (60,),
        "current/out": (10,),
    }
    assert LayeredDesign(LAYERS, rails="single", bias="none").blocks == {
        "conductance/in-h1": (200, 60),
        "conductance/h1-out": (60, 10),
    }


def test_half_of_the_first_conductances_are_zero_and_the_others_uniform():
    drawn = draw_parameters(LayeredDesign(LAYERS), 1e-5, seed=3, scale=2.0)
    for name, sources in (("conductance/in-h1", 400), ("conductance/h1-out", 60)):
        values, most = drawn[name], 2e-5 / np.sqrt(sources)
        deviation = 0.5 / np.sqrt(values.size)
        assert abs((values == 0.0).mean() - 0.5) < 5.0 * deviation
        positive = values[values > 0.0] / most
        assert positive.max() < 1.0
        assert abs(positive.mean() - 0.5) < 5.0 / np.sqrt(12.0 * positive.size)
        assert abs(positive.var() - 1.0 / 12.0) < 5.0 * np.sqrt(1.0 / 180.0 / positive.size)
    assert np.all(drawn["current/h1"] == 0.0)


def test_draws_are_named():
    design = LayeredDesign(LAYERS)
    one = draw_parameters(design, 1e-5, seed=3)["conductance/in-h1"]
    np.testing.assert_array_equal(one, draw_parameters(design, 1e-5, seed=3)["conductance/in-h1"])
    for other in (draw_parameters(design, 1e-5, 4), draw_parameters(design, 1e-5, 3, instance=1)):
        assert np.any(other["conductance/in-h1"] != one)


def test_draws_are_brought_into_the_window():
    drawn = draw_parameters(LayeredDesign(LAYERS, window=(1e-7, 4e-7)), 1e-5, seed=3)["conductance/in-h1"]
    assert (drawn.min(), drawn.max()) == (1e-7, 4e-7)


@pytest.mark.parametrize(
    ("words", "keys"),
    [
        ("input and an output", {"layers": {"in": 2}}),
        ("1 node or more", {"layers": {"in": 2, "out": 0}}),
        ("hidden layers alone", {"diodes": ("out",)}),
        ("window", {"window": (-1.0, 1.0)}),
        ("window", {"window": (1.0, 1.0)}),
        ("sweeps = 0", {"sweeps": 0}),
        ("tolerance", {"tolerance": 0.0}),
    ],
)
def test_what_is_no_circuit_is_told(words, keys):
    check_layered_design(LayeredDesign(LAYERS))
    with pytest.raises(ValueError, match=words):
        check_layered_design(LayeredDesign(**{"layers": LAYERS, **keys}))
