"""Jacobian homeostasis in a scenario: what is refused, what a training keeps of it, and what it will cost."""

import numpy as np
import pytest

from learning.homeostasis.measured import ClosedLoop, OpenLoop
from learning.oracle.homeostasis import ExactPull, SampledPull
from scenarios.data.datasets import Outline
from scenarios.experiments.estimate import estimate_workload
from scenarios.experiments.train.figures import draw_angles
from scenarios.experiments.watch import Interrupted
from scenarios.language.load import load_scenario
from scenarios.report.sheets import make_sheets
from scenarios.report.summary import list_metrics
from scenarios.results import store
from scenarios.results.store import Variable
from scenarios.schema.scenario import Learning
from tests.scenarios import result_files
from tests.scenarios.experiments.train.test_run import TRAIN, Watch, assert_same, compute
from tests.scenarios.scenario_files import GOOD, changed, only_fault, write

OPEN = 'homeostasis = { kind = "open-loop", strength = 20.0, draws = 2 }'
TAUGHT = TRAIN[: TRAIN.index("reference")].replace("[task]", f"{OPEN}\n\n[task]")
PHYSICAL = '[physical]\nvolt_scale = "150 mV"\nactivity_volts = "1 V"\n'


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("exact", ExactPull), ("sampled", SampledPull), ("open-loop", OpenLoop), ("closed-loop", ClosedLoop)],
)
def test_every_kind_is_known_by_its_name(kind, expected):
    found = Learning.model_validate({"homeostasis": {"kind": kind, "strength": 2.0}}).homeostasis
    assert found == expected(strength=2.0)


@pytest.mark.parametrize(("kind", "size"), [("open-loop", 0.03), ("closed-loop", 0.2)])
def test_the_size_of_a_probe_may_be_in_volts(tmp_path, kind, size):
    """Offsets of outputs are in units of the activity, injected drives in units of the state."""
    text = changed("[task]", f'homeostasis = {{ kind = "{kind}", size = "30 mV" }}\n\n[task]')
    fault = only_fault(write(tmp_path, text))
    assert (fault.path[:2], "is in volts" in fault.message) == (("learning", "homeostasis"), True)
    loaded = load_scenario(write(tmp_path, text.replace("[network]", f"{PHYSICAL}\n[network]")))
    assert loaded.scenario.in_units().learning.homeostasis.size == pytest.approx(size)


@pytest.mark.parametrize(
    ("more", "edits", "path", "words", "hint"),
    [
        ("", ["devices.feedback.storage=copied"], "", "one number is written to both cells", "independent"),
        ("", ["devices.feedback.storage=shared-device"], "", "one cell serves both directions", "independent"),
        ("", ['network.connections=["in-l1", "in-out"]'], "", "no connection between unclamped layers", "feedback"),
        (
            ', connections = "reciprocal"',
            ['network.connections=["in-l1", "l1-out"]'],
            "connections",
            "no connection has a reverse",
            '"all"',
        ),
    ],
)
def test_hardware_on_which_it_cannot_act_is_refused(tmp_path, more, edits, path, words, hint):
    text = changed("[task]", f'homeostasis = {{ kind = "exact"{more} }}\n\n[task]')
    text = text.replace('asymmetry = { angle = "90 degree" }\n', "").replace('mismatch_sigma = "10 %"\n', "")
    fault = only_fault(write(tmp_path, text), *edits)
    assert fault.path == ("learning", "homeostasis", *([path] if path else []))
    assert words in fault.message
    assert hint in fault.hint


@pytest.mark.parametrize(
    ("table", "words"),
    [('{ kind = "open" }', "'open-loop'"), ('{ kind = "exact", draws = 2 }', "unknown"), ("{ strength = 1 }", "kind")],
)
def test_a_wrong_table_is_explained(tmp_path, table, words):
    fault = only_fault(write(tmp_path, changed("[task]", f"homeostasis = {table}\n\n[task]")))
    assert words in fault.message


def test_a_broken_wiring_is_told_once(tmp_path):
    text = changed("[task]", 'homeostasis = { kind = "exact" }\n\n[task]').replace('"out-l1"]', '"out-l7"]')
    assert only_fault(write(tmp_path, text)).path[:2] == ("network", "connections")


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    return compute(tmp_path_factory.mktemp("taught"), text=TAUGHT).folder / "run.h5"


def test_a_training_with_homeostasis_becomes_symmetric_and_keeps_its_loss(tmp_path, taught):
    plain = store.read_result_file(compute(tmp_path, text=TAUGHT.replace(OPEN, "")).folder / "run.h5")["metrics"]
    result = store.read_result_file(taught)
    group = result["metrics"]
    loss = group["homeostasis_loss"].data
    assert loss.shape == (7,)
    assert loss[-1] < 0.6 * loss[0]
    assert plain["homeostasis_loss"].data[-1] > 0.9 * loss[0]
    assert group["angle_weights"].data[-1].max() < plain["angle_weights"].data[-1].max()
    assert group["symmetry_couplings"].data[-1] > plain["symmetry_couplings"].data[-1]
    couplings = {n: result[f"devices/{n}"]["effective"].data for n in ("l1-l2", "l2-l1", "l2-out", "out-l2")}
    odd = sum(np.sum((couplings[a] - couplings[b].T) ** 2) for a, b in (("l1-l2", "l2-l1"), ("l2-out", "out-l2")))
    units = sum(couplings[n].shape[1] for n in ("l1-l2", "l2-l1", "l2-out"))
    assert loss[-1] == pytest.approx(odd / units, rel=1e-12)
    assert list_metrics(result)["metrics/homeostasis_loss"] == loss[-1]


def test_probes_count_as_reads_of_the_training(taught):
    """Two draws, both signs, for every sample beside three reads of the rule."""
    group = store.read_result_file(taught)["metrics"]
    settlings, reads = np.diff(group["settlings"].data), np.diff(group["reads"].data)
    np.testing.assert_array_equal(reads - settlings, 16)


def test_a_stopped_training_with_homeostasis_goes_on_bit_for_bit(tmp_path, taught):
    with pytest.raises(Interrupted):
        compute(tmp_path, text=TAUGHT, watch=Watch(7))
    again = compute(tmp_path, text=TAUGHT)
    assert_same(taught, again.folder / "run.h5")


@pytest.mark.parametrize(
    ("kind", "steps", "share"), [("closed-loop", 2, 1.0), ("closed-loop", 5000, 0.0), ("open-loop", 2, None)]
)
def test_probes_that_did_not_settle_stand_in_the_budget(tmp_path, kind, steps, share):
    text = TAUGHT.replace(OPEN, f'homeostasis = {{ kind = "{kind}", draws = 1 }}')
    edits = ["experiment.epochs=1", f"dynamics.nudged.max_steps={steps}"]
    result = store.read_result_file(compute(tmp_path, edits, text).folder / "run.h5")
    group = result["metrics"]
    # Every sample settles three times for its gradient, and twice for a probe in a closed loop.
    settlings = group["settlings"].data[-1]
    assert group["probes"].data[-1] == (0 if share is None else 2 * settlings / 5)
    assert group["probes_unsettled"].data[-1] == (share or 0.0) * group["probes"].data[-1]
    budget = next(sheet for sheet in make_sheets(result, 8) if sheet.title == "Budget of the training")
    words = [row[0] for row in budget.rows if "probes" in row[0]]
    assert words == (
        []
        if share is None
        else ["of these: probes with injected drives", f"probes that did not settle ({100 * share:.1f} %)"]
    )


def test_injected_settlings_are_foreseen(tmp_path):
    experiment = 'kind = "train"\nepochs = 2'
    text = GOOD.replace('kind = "measure"\nsamples = 16', experiment)
    outline = Outline(samples=20, test_samples=4, inputs=4, classes=2)
    loads = [
        estimate_workload(load_scenario(write(tmp_path, t)).scenario, outline)
        for t in (text, text.replace("[task]", 'homeostasis = { kind = "closed-loop", draws = 3 }\n\n[task]'))
    ]
    assert [load.probes for load in loads] == [0, 6]
    assert loads[1].settlings - loads[0].settlings == 6 * 40
    assert loads[1].operations > loads[0].operations


def test_table_and_figure_show_the_loss_where_it_is_known():
    group = result_files.metrics(5)
    old = {name: variable for name, variable in group.items() if name != "homeostasis_loss"}
    figure, before = (draw_angles(result_files.result({"metrics": g})) for g in (group, old))
    assert len(figure.axes) == len(before.axes) + 1
    np.testing.assert_array_equal(figure.axes[-1].lines[0].get_ydata(), group["homeostasis_loss"].data)
    shown, without = (make_sheets(result_files.result({"metrics": g}), 8)[0] for g in (group, old))
    assert "L_homeo/n" in shown.columns
    assert shown.rows[0][shown.columns.index("L_homeo/n")] == "0.51"
    assert "L_homeo/n" not in without.columns
    assert [len(row) for row in without.rows] == [len(without.columns)] * 6


def test_table_and_figure_say_which_numbers_are_estimates():
    exact = result_files.metrics(5)
    for group, about in ((exact, ""), (exact | {"symmetry_draws": Variable(("epoch",), [16] * 6)}, " (estimate)")):
        result = result_files.result({"metrics": group})
        sheet, panels = make_sheets(result, 8)[0], draw_angles(result).axes[-2:]
        assert {f"symmetry W{about}", f"L_homeo/n{about}"} <= set(sheet.columns)
        assert ("from 16 normal vectors per sample" in sheet.note) == bool(about)
        words = ["symmetry of W", "symmetry of W - 1", "loss of homeostasis"]
        assert [line.get_label() for panel in panels for line in panel.lines] == [word + about for word in words]
