"""The ledger from a scenario file to the tables and the words of a result."""

import warnings
from itertools import combinations

import numpy as np
import pytest
import xarray

from learning.oracle.ledger.vectors import TERMS
from scenarios.data.datasets import read_outline
from scenarios.experiments.estimate import estimate_workload
from scenarios.experiments.measure.words import NAMES, find_largest_cause
from scenarios.front.progress import Progress
from scenarios.language.load import load_scenario
from scenarios.report.answer import list_remarks, make_answer
from scenarios.report.sheets import make_sheets
from scenarios.results import store
from scenarios.run.run import RunOptions, run_scenario
from tests.scenarios import result_files
from tests.scenarios.files import MEASURE, write_scenario
from tests.scenarios.scenario_files import only_fault

NOISY = """
[dynamics]
method = "exponential"
free = { duration = 20.0, window = 4.0 }
nudged = { duration = 20.0, window = 4.0 }
[devices.noise]
thermal = 0.002
[devices.hold]
pedestal = 0.002
[devices.converters]
readout = { bits = 10 }
[devices.update]
kind = "constant-step"
step = 0.00001
"""
FORMS = ["rms", "relative", "mean_norm", "scale", "rotation", "standard_error", "cosine_after"]
WHOLES = ["total", "variance", "dithered", "gains", "irreducible", "first_order"]


def computed(path, *edits):
    return store.read_result_file(
        run_scenario(load_scenario(path, edits), RunOptions(path.parent / "out", 2), Progress(quiet=True)).folder
        / "run.h5"
    )


@pytest.fixture(scope="module")
def noisy(tmp_path_factory):
    path = write_scenario(tmp_path_factory.mktemp("noisy"), MEASURE + NOISY)
    edits = ("experiment.samples=4", "experiment.repeats=5", "experiment.interactions=true")
    return computed(path, *edits), path.parent / "out" / "run.h5"


def test_every_term_of_every_layer_has_its_figures(noisy):
    ledger = noisy[0]["ledger"]
    assert list(ledger["term"].data) == list(TERMS)
    for name in [*FORMS, "median", "constant"]:
        assert ledger[name].dims == ("scheme", "layer", "term")
        assert np.isfinite(ledger[name].data).all(), name
    for name in [*WHOLES, "dithered_median"]:
        assert ledger[name].dims == ("scheme", "layer")
        assert np.isfinite(ledger[name].data).all(), name
    for name in ("part_relative", "part_median"):
        assert ledger[name].dims == ("scheme", "layer", "part")
        assert np.isfinite(ledger[name].data).all(), name
    assert (ledger["jumped"].data == 0).all()
    rms = dict(zip(TERMS, np.moveaxis(ledger["rms"].data, 2, 0), strict=True))
    for name in ("precision", "presynaptic", "write"):
        assert (rms[name] == 0.0).all()
    for name in ("asymmetry", "finite_nudge", "readout"):
        assert (rms[name] > 0.0).all()
    assert (ledger["variance"].data > 0.0).all()
    error = ledger["standard_error"].data
    assert (error[..., TERMS.index("noise")] > 0.0).all()
    assert (np.delete(error, TERMS.index("noise"), axis=-1) == 0.0).all()


def test_the_connections_have_the_same_figures_but_those_of_samples(noisy):
    group = noisy[0]["ledger/connections"]
    assert list(group["connection"].data) == ["in-l1", "l1-l2", "l2-l1", "l2-out", "out-l2"]
    for name in FORMS:
        assert group[name].dims == ("scheme", "connection", "term")
        assert np.isfinite(group[name].data).all(), name
    for name in WHOLES:
        assert group[name].dims == ("scheme", "connection")
    assert "median" not in group
    assert "constant" not in group
    rms = dict(zip(TERMS, np.moveaxis(group["rms"].data, 2, 0), strict=True))
    assert (rms["write"] > 0.0).all()
    assert (rms["presynaptic"][:, 0] == 0.0).all()
    assert (rms["presynaptic"][:, 1:] > 0.0).all()


def test_the_interactions_are_there_when_they_are_asked_for(noisy, tmp_path):
    group = noisy[0]["ledger/interactions"]
    assert list(group["cause"].data) == ["mismatch", "noise", "adc", "hold"]
    for name in ("alone", "removed", "repaired", "interaction_without"):
        assert group[name].dims == group[f"{name}_error"].dims == ("scheme", "layer", "cause")
        assert (group[name].data >= 0.0).all()
    ends = zip(group["pair_first"].data, group["pair_second"].data, strict=True)
    assert list(ends) == list(combinations(group["cause"].data, 2))
    for name in ("pair_own", "pair_left", "pair_repaired"):
        assert group[name].dims == group[f"{name}_error"].dims == ("scheme", "layer", "pair")
        assert (group[name].data >= 0.0).all()
    assert (group["interaction_median"].data >= 0.0).all()
    for name in ("base", "full", "interaction"):
        assert group[name].dims == group[f"{name}_error"].dims == ("scheme", "layer")
    assert (group["alone_error"].data[..., 1] > 0.0).all()
    assert (group["alone_error"].data[..., [0, 2, 3]] == 0.0).all()
    plain = computed(write_scenario(tmp_path), "experiment.samples=2")
    assert "ledger/interactions" not in plain.groups
    assert (plain["ledger"]["variance"].data == 0.0).all()


def test_a_chip_without_causes_has_no_table_of_interactions(tmp_path):
    edits = ("devices.feedback.mismatch_sigma=0", "experiment.interactions=true", "experiment.samples=2")
    tight = "{max_steps=20000, tolerance=1e-13}"
    result = computed(write_scenario(tmp_path), *edits, f"dynamics={{free={tight}, nudged={tight}}}")
    assert "ledger/interactions" not in result.groups


def test_the_file_opens_as_a_tree(noisy):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with xarray.open_datatree(noisy[1], engine="h5netcdf") as tree:
            assert tree["ledger/connections"]["rms"].sel(term="write", connection="l1-l2").shape == (2,)
            assert tree["ledger/interactions"]["alone"].sel(cause="hold", layer="l1").shape == (2,)


def test_a_training_keeps_the_ledgers_of_its_epochs(tmp_path):
    text = MEASURE.replace('kind = "measure"\nrecord = { samples = 2, every_steps = 2 }', 'kind = "train"\nepochs = 1')
    edits = ("experiment.ledger={samples=2, repeats=3}", 'learning.rule="contrastive"')
    result = computed(write_scenario(tmp_path, text + NOISY), *edits)
    assert result["ledger"]["rms"].dims == ("epoch", "scheme", "layer", "term")
    assert result["ledger/connections"]["rms"].dims == ("epoch", "scheme", "connection", "term")
    assert (result["ledger/connections"]["rms"].data[..., TERMS.index("presynaptic")] == 0.0).all()
    # The same remedies at every epoch, whichever cause is the largest.
    assert result["ledger/remedies"]["cosine"].dims == ("epoch", "remedy", "layer")


def test_a_connection_that_is_not_taught_has_no_numbers(tmp_path):
    result = computed(write_scenario(tmp_path), 'learning.rule="feedback-alignment"', "experiment.samples=2")
    total = result["ledger/connections"]["total"].data
    assert np.isnan(total[:, [2, 4]]).all()
    assert np.isfinite(total[:, [0, 1, 3]]).all()


@pytest.mark.parametrize(
    ("edits", "repeats"),
    [
        ([], 1),
        (["experiment.repeats=20"], 1),
        (["devices.noise.read=0.1"], 8),
        (["devices.noise.read=0.1", "experiment.repeats=20"], 20),
        (["devices.converters.readout={bits=8, stochastic=true}"], 8),
        (['devices.update={kind="constant-step", step=0.1, rounding="stochastic"}'], 8),
        (['devices.update={kind="constant-step", step=0.1}'], 1),
    ],
)
def test_what_is_random_is_repeated(tmp_path, edits, repeats):
    scenario = load_scenario(write_scenario(tmp_path), edits).scenario
    assert scenario.repeats(scenario.experiment) == repeats


def test_repeats_are_in_the_estimate_of_cost(tmp_path):
    loaded = load_scenario(write_scenario(tmp_path), ["devices.noise.read=0.1", "experiment.repeats=20"])
    once = load_scenario(write_scenario(tmp_path), ["devices.noise.read=0.1", "experiment.repeats=1"])
    many, one = (
        estimate_workload(x.scenario, read_outline(x.scenario.task, x.folder("task", "path"))) for x in (loaded, once)
    )
    assert many.estimates == 20 * one.estimates
    # What would help is measured once, whatever the repeats.
    assert many.settlings - one.settlings == 19 * one.estimates * (1 + one.nudges)
    assert one.settlings > one.estimates * (1 + one.nudges)
    assert many.result == one.result
    assert many.memory > one.memory


@pytest.mark.parametrize("value", ["0", "-3", "1.5"])
def test_a_wrong_number_of_repeats_is_named(tmp_path, value):
    assert only_fault(write_scenario(tmp_path), f"experiment.repeats={value}").path[-1] == "repeats"


# Words, on made-up results


def made_up(connections=None, **data):
    """Return a measure of one scheme whose ledger has the given figures."""
    groups = result_files.measured(schemes=("centred, beta 0.05",))
    ledger = {name: v._replace(data=np.asarray(data.get(name, v.data))) for name, v in groups["ledger"].items()}
    groups["ledger"] = ledger
    if connections is not None:
        zero, both = 0.0 * connections, connections[..., [TERMS.index("readout"), TERMS.index("noise")]].sum(axis=2)
        sizes = {"relative": connections, "rms": connections, "spread": zero, "cosine_after": 1.0 - 0.5 * connections}
        if connections[..., TERMS.index("write_noise")].any():
            sizes["relative"], sizes["spread"] = zero, connections  # its mean vanishes
        groups["ledger/connections"] = {
            "term": groups["ledger"]["term"],
            "connection": store.Variable(("connection",), np.array(["l1-l2", "l2-out"])),
            **{name: store.Variable(("scheme", "connection", "term"), table) for name, table in sizes.items()},
            **{name: store.Variable(("scheme", "connection"), both) for name in ("dithered", "total")},
        }
    return result_files.result(groups)


def ledger_of(**relative):
    """Return the figures of a ledger with these errors in every layer."""
    table = np.zeros((1, 3, len(TERMS)))
    for name, value in relative.items():
        if name != "dithered":
            table[..., TERMS.index(name)] = value
    both = np.full((1, 3), relative.get("dithered", 0.0))
    return {"relative": table, "median": table, "rms": 0.1 * table, "dithered": both, "dithered_median": both}


@pytest.mark.parametrize("term", ["asymmetry", "finite_nudge", "settling", "precision"])
def test_the_largest_cause_is_named(term):
    text = make_answer(made_up(**ledger_of(**{"settling": 0.01, "finite_nudge": 0.02, term: 0.4})))
    assert text.startswith(f"{NAMES[term]} dominates: with centred, beta 0.05 it makes an error of 40 %")
    assert "What would help" not in text  # nothing was measured


def split(goal, bias, jumped=0, **relative):
    """Return the figures of a ledger whose finite nudge has these two parts in every layer."""
    parts = np.broadcast_to([goal, bias], (1, 3, 2))
    both = ("scheme", "layer", "part")
    result = made_up(**ledger_of(**relative))
    result["ledger"].update(
        part=store.Variable(("part",), np.array(["goal", "nudge_bias"])),
        part_relative=store.Variable(both, parts),
        part_median=store.Variable(both, 0.5 * parts),
        jumped=store.Variable(("scheme",), np.array([jumped])),
    )
    return result


def test_a_change_of_goal_is_told_from_a_bias():
    result = split(0.13, 1e-9, finite_nudge=0.13, asymmetry=0.2)
    (line,) = [line for line in list_remarks(result) if "finite nudge" in line]
    assert line.startswith("Of the finite nudge in layer l1, 13 % (rms), 13 % is a change of goal: ")
    assert line.endswith("which is no error of the machine; none is bias.")
    (line,) = [line for line in list_remarks(split(0.1, 0.05, finite_nudge=0.13)) if "Of the finite nudge" in line]
    assert line.endswith("; 5 % is bias.")
    for quiet in (split(0.0005, 0.0, finite_nudge=0.0005), split(np.nan, np.nan, finite_nudge=0.2)):
        assert not [line for line in list_remarks(quiet) if "Of the finite nudge" in line]
    lines = list_remarks(split(0.1, 0.05, 2, finite_nudge=0.13))
    assert any(
        line.startswith("2 samples leave the branch of the free state under the nudge of centred") for line in lines
    )


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ((0.4, 0.0), "dominates, above all a change of goal, which is no error of the machine: with"),
        ((0.0, 0.4), "dominates, above all a bias, since its couplings are not symmetric or a state jumps: with"),
        ((0.3, 0.25), "dominates: with"),
        ((np.nan, np.nan), "dominates: with"),
    ],
)
def test_the_answer_says_what_most_of_a_finite_nudge_is(parts, words):
    assert make_answer(split(*parts, finite_nudge=0.4)).startswith(f"The finite nudge {words}")


def test_readout_and_noise_are_one_cause_since_noise_dithers():
    figures = ledger_of(readout=0.5, noise=0.4, dithered=0.2, asymmetry=0.3)
    assert make_answer(made_up(**figures)).startswith("Feedback asymmetry dominates")
    assert "readout + noise 20 % (20 % rms)" in make_answer(made_up(**figures))
    text = make_answer(made_up(**ledger_of(readout=0.5, noise=0.4, dithered=0.35, asymmetry=0.3)))
    assert text.startswith("Readout + noise dominates: with centred, beta 0.05 it makes an error of 35 %")


@pytest.mark.parametrize("term", ["readout", "noise"])
def test_readout_or_noise_alone_has_its_own_name(term):
    text = make_answer(made_up(**ledger_of(**{term: 0.5, "dithered": 0.5})))
    assert text.startswith(f"{NAMES[term]} dominates")


def test_a_constant_is_named_as_the_floor_of_a_training():
    figures = ledger_of(readout=0.1, dithered=0.1, asymmetry=0.3)
    constant = np.zeros((1, 3, len(TERMS)))
    constant[0, 1, TERMS.index("readout")] = 0.009
    (line,) = [line for line in list_remarks(made_up(**figures, constant=constant)) if "same vector" in line]
    assert line.startswith("The readout adds the same vector for every sample, 9 % of the exact gradient in layer l2")
    assert "it sets the floor of a training." in line
    error = np.full(constant.shape, 0.01)
    for other in ({"constant": 0.1 * constant}, {"constant": constant, "standard_error": error}):
        assert not [line for line in list_remarks(made_up(**figures, **other)) if "same vector" in line]
    error_signal = np.zeros(constant.shape)
    error_signal[..., TERMS.index("asymmetry")] = 0.03  # falls with the error signal
    assert not [line for line in list_remarks(made_up(**figures, constant=error_signal)) if "same vector" in line]


def test_what_happens_after_the_error_vector_is_named_when_it_is_worse():
    connections = np.zeros((1, 2, len(TERMS)))
    connections[0, 1, TERMS.index("write")] = 0.5
    (line,) = [
        line for line in list_remarks(made_up(connections, **ledger_of(asymmetry=0.3))) if "batch gradient" in line
    ]
    assert line.startswith("The write changes the batch gradient even more: by 50 % in connection l2-out; it ")
    assert "turns the cosine there from 1.0000 to 0.7500" in line
    quiet = list_remarks(made_up(connections, **ledger_of(asymmetry=0.7)))
    assert not [line for line in quiet if "batch gradient" in line]


@pytest.mark.parametrize("term", TERMS)
def test_every_cause_that_is_large_in_what_is_written_alone_is_blamed(term):
    """Whatever error vectors say, if all of their errors are less than half as large."""
    connections = np.zeros((1, 2, len(TERMS)))
    connections[0, 1, TERMS.index(term)] = 0.6
    result = made_up(connections, **ledger_of(settling=0.2))
    text = make_answer(result)
    assert text.startswith(f"{NAMES[term]} dominates: with centred, beta 0.05 it makes an error of 60 % of the exact ")
    assert "batch gradient of connection l2-out" in text
    assert "more than in any error vector" in text
    assert not [line for line in list_remarks(result) if "even more" in line]
    assert make_answer(made_up(connections, **ledger_of(settling=0.4))).startswith("Settling dominates: with")


def test_without_a_settled_sample_there_is_nothing_to_judge():
    nothing = np.full((1, 3, len(TERMS)), np.nan)
    figures = {"relative": nothing, "median": nothing, "dithered": nothing[..., 0], "dithered_median": nothing[..., 0]}
    result = made_up(np.zeros((1, 2, len(TERMS))), **figures)
    assert find_largest_cause(result["ledger"]) is None
    assert make_answer(result) == "No sample settled, so there is no gradient to judge."
    assert not [line for line in list_remarks(result) if "What would help" in line]


def test_the_table_shows_the_causes_that_act(noisy):
    (sheet,) = [sheet for sheet in make_sheets(noisy[0], 8) if sheet.title.startswith("Error of each cause")]
    acting = ["asymmetry", "goal", "nudge bias", "settling", "readout", "noise", "readout + noise"]
    place = sheet.columns.index("sample")
    assert sheet.columns[place:-2] == ["sample", *acting]
    assert [row[place] for row in sheet.rows[:4]] == ["median", "rms"] * 2
    (ideal,) = [
        s for s in make_sheets(made_up(**ledger_of(asymmetry=0.1)), 8) if s.title.startswith("Error of each cause")
    ]
    assert ideal.columns[ideal.columns.index("sample") : -2] == ["sample", "asymmetry", "finite nudge", "settling"]
