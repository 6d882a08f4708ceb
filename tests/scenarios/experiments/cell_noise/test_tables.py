"""What results say of noise of cells: how it was simulated, how large it is, and what it costs."""

import numpy as np
import pytest

import nudgelab
from scenarios.experiments.cell_noise.tables import describe_cell_noise, make_cell_noise_sheets
from scenarios.language.faults import ScenarioError
from scenarios.report.answer import list_remarks
from tests.scenarios.keys.sample import BASE

CLOCK = {"method": "exponential", "dt": 0.1, "free": {"duration": 8.0}, "nudged": {"duration": 8.0}}


def scenario(noise, **changes):
    data = BASE | {"dynamics": CLOCK, "devices": {"weights": {"noise": noise}}, "task": {"kind": "two-moons"}}
    return (
        data
        | {"network": {"layers": {"in": 2, "l1": 4, "out": 2}, "connections": ["in-l1", "l1-out", "out-l1"]}}
        | changes
    )


def measured(noise, **changes):
    return nudgelab.load(scenario(noise, **changes)).run().stored


def test_a_result_says_which_way_every_process_was_simulated():
    result = measured({"relative": 0.02, "spectrum": "flicker", "tau_c": 0.1, "octaves": 12})
    group = result["cell_noise"]
    # Phases of 16 tau, batches of 50: white below 0.2, frozen above 113 tau.
    assert list(group["way"].data) == ["white"] + ["drift"] * 10 + ["frozen"]
    first, second = describe_cell_noise(result)
    assert "tau_c 0.1 tau: one draw per unit and step" in first
    assert "tau_c 204.8 tau: one draw of all weights per batch" in first
    assert "costs sqrt(D)/(beta delta), here " in second
    assert {first, second} <= set(list_remarks(result))


def test_levels_stand_beside_the_pull_of_the_nudge():
    group = measured({"relative": 0.02, "tau_c": 3.0})["cell_noise"]
    deviation, relative = group["deviation"].data, group["relative"].data
    assert deviation.shape == (1, 2)
    assert relative.shape == (1, 1, 2)
    delta = deviation / relative[0] / float(group["beta"].data[0])
    assert (delta > 0.0).all()
    # Eight repeats of three samples: the scatter is known to about 15 %.
    np.testing.assert_allclose(group["measured"].data, group["expected"].data, rtol=0.75)


def test_frozen_noise_has_no_law_of_the_linearised_chip_and_no_cost_over_beta():
    result = measured({"relative": 0.02}, dynamics={"dt": 0.5})
    assert np.isnan(result["cell_noise"]["expected"].data).all()
    assert "slower than any batch" in describe_cell_noise(result)[0]
    assert describe_cell_noise(result)[1].endswith("costs sqrt(D)/(beta delta).")
    assert make_cell_noise_sheets(result)[0].title.startswith("Noise of cells")


def test_a_quiet_result_says_nothing():
    result = measured({"relative": 0.0})
    assert "cell_noise" not in result.groups
    assert describe_cell_noise(result) == []
    assert make_cell_noise_sheets(result) == []


REFUSED = {
    "no clock": ({"relative": 0.02, "tau_c": 3.0}, {"dynamics": {"dt": 0.5}}, "depends on how long the phases take"),
    "complex": (
        {"relative": 0.02, "tau_c": 3.0},
        {"learning": {"scheme": {"kind": "circle", "points": 4, "beta": 0.2}}},
        "does not go with complex nudges",
    ),
    "adjoint": (
        {"relative": 0.02, "tau_c": 3.0},
        {"learning": BASE["learning"] | {"rule": "dyadic"}},
        "settles without noise",
    ),
    "idle": ({"tau_c": 3.0}, {}, "cells have no noise"),
}


@pytest.mark.parametrize(("noise", "changes", "words"), REFUSED.values(), ids=REFUSED)
def test_what_does_not_go_together_is_refused_before_anything_runs(noise, changes, words):
    with pytest.raises(ScenarioError, match=words):
        nudgelab.load(scenario(noise, **changes)).check()
