"""Every bundled circuit shows what its head says."""

import numpy as np
import pytest

import nudgelab
from scenarios.language.places import CATALOGUE
from tests.scenarios.result_files import find_nameless

NAMES = sorted(path.relative_to(CATALOGUE).with_suffix("").as_posix() for path in CATALOGUE.glob("circuits/*.toml"))


def measure(name, edits=()):
    """Return the figures of a bundled circuit that came to rest throughout."""
    result = nudgelab.load(name, edits).run()
    assert int(result["ledger"]["unsettled"].data.sum()) == 0
    assert find_nameless(result.stored) == []
    return result


def read_term(result, term):
    """Return the relative error of a cause, (schemes, layers)."""
    ledger = result["ledger"]
    return ledger["relative"].data[..., list(ledger["term"].data).index(term)]


@pytest.mark.parametrize("name", NAMES)
def test_a_head_names_the_command_and_all_is_valid(name):
    scenario = nudgelab.load(name)
    verb = "run" if scenario.loaded.spec.sweep is None else "sweep"
    assert f"#   nudgelab {verb} {name}" in (CATALOGUE / f"{name}.toml").read_text(encoding="utf-8").splitlines()[2]
    assert scenario.name == name.split("/")[1]
    if scenario.loaded.spec.task.kind != "idx":
        assert str(scenario.check()).startswith("good")


def test_channels_of_a_lattice_are_not_reciprocal():
    result = measure("circuits/lattice")
    asymmetry, finite = read_term(result, "asymmetry"), read_term(result, "finite_nudge")
    assert (asymmetry[:, 0] > 0.005).all()
    assert (asymmetry < 0.05).all()
    assert (finite[1] < 0.2 * finite[0]).all(), "the centred nudge is of second order"


def test_amplifiers_need_a_metric_and_not_a_b_of_one():
    few = ["experiment.samples=2"]
    sizes = [16.0**2, 16.0, 1.0]
    for metric, expected in (("nominal", [1.0, 1.0, 1.0]), ("none", [1.0 / size for size in sizes])):
        result = measure("circuits/amplifiers", [*few, f"learning.metric={metric}"])
        np.testing.assert_allclose(result["gradient"]["norm_ratio"].data[0], expected, rtol=0.01)
        np.testing.assert_allclose(read_term(result, "asymmetry")[0], 1.0 - np.array(expected), atol=1e-9)
        assert (result["gradient"]["cosine"].data > 0.9999).all()
    spread = measure("circuits/amplifiers", [*few, "devices.amplifiers.backward_sigma=30 %"])
    assert (spread["gradient"]["cosine"].data[0, :2] < 0.995).all()


def test_a_smaller_clamp_leaves_the_error_of_clamping():
    far, near = (measure("circuits/board", [f"learning.rule.clamp={clamp}"]) for clamp in (1.0, 0.1))
    np.testing.assert_allclose(read_term(near, "clamp"), read_term(far, "clamp"))
    assert (read_term(far, "clamp") > 0.4).all()
    assert read_term(near, "finite_nudge")[0, 0] < 0.2 * read_term(far, "finite_nudge")[0, 0]


def test_what_differs_between_phases_grows_as_the_nudge_falls_and_wires_do_not_err():
    def find_error(term, fraction, device):
        edits = [f"learning.scheme.beta.fraction={fraction}", *device]
        table = measure("circuits/readout", edits)["ledger/connections"]
        return table["relative"].data[0, :2, list(table["term"].data).index(term)]

    for device, factor in (("offset_sigma", 1.0), ("squarer_offset_sigma", 10.0)):
        large, small = (find_error("readout", f, [f"devices.drops.{device}=2 mV"]) for f in (0.1, 0.01))
        np.testing.assert_allclose(small, factor * large, rtol=0.05)
    for device in ("weights.wires=100 ohm", "weights.noise.slow=5 %"):
        for term in ("asymmetry", "readout", "noise"):
            assert (find_error(term, 0.1, [f"devices.{device}"]) < 1e-9).all()


def test_a_deep_resistive_network_learns():
    short = [
        "experiment.samples=400",
        "experiment.test_samples=100",
        "experiment.epochs=2",
        "experiment.ledger.samples=2",
    ]
    result = nudgelab.load("circuits/deep-resistive", [*short, "network.layers.h1=32"]).run()
    metrics = result["metrics"]
    assert find_nameless(result.stored) == []
    assert metrics["loss_test"].data[-1] < 0.8 * metrics["loss_test"].data[0]


def test_a_board_forgets_between_tasks_and_clamping_further_lowers_the_floor():
    found = {}
    for clamp in (1.0, 5.0):
        edits = [f"learning.rule.clamp={clamp}", "experiment.periods=['1 ms','10 ms','2 s']"]
        result = nudgelab.load("circuits/self-learning-board", edits).run()
        found[clamp] = result["cycles"]
        assert find_nameless(result.stored) == []
        assert found[clamp]["closed"].data.all()
    error = found[1.0]["error"].data
    assert error[1] < 1.05 * error[0], "fast changes of the task have one floor"
    assert error[2] > 10.0 * error[0]
    span = found[1.0]["span"].data
    assert abs(np.log10(span[1] / span[0]) - 2.0) < 0.05
    assert found[5.0]["floor"].data < 0.1 * found[1.0]["floor"].data
    assert found[5.0]["error"].data[2] > 0.5 * error[2], "slow ones are forgotten all the same"


def test_a_board_solves_both_tasks_without_leaks_and_biases():
    edits = ["devices.update.leak={}", "devices.update.bias={}", "experiment.periods=['1 ms']"]
    found = nudgelab.load("circuits/self-learning-board", edits).run()["cycles"]
    assert found["floor"].data < 1e-15
