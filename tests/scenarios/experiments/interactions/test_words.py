"""What is said of causes that do not add up, on made-up figures, and their tables."""

import numpy as np
import pytest

from scenarios.experiments.interactions.sheets import make_interaction_sheets
from scenarios.experiments.interactions.words import describe_interactions
from scenarios.results.store import Variable
from tests.scenarios import result_files

CAUSES = ["mismatch", "noise", "adc"]
PAIRS = [("mismatch", "noise"), ("mismatch", "adc"), ("noise", "adc")]


def make(interaction=(0.1, 0.2), full=0.3, error=0.0, median=0.2, **given):
    """Return a measure of one scheme and two layers; `given` are figures by cause or pair, of every layer."""
    figures = {
        "alone": (0.16, 0.01, 0.12),
        "removed": (0.17, 0.02, 0.13),
        "repaired": (0.21, 0.22, 0.23),
        "interaction_without": (0.19, 0.18, 0.17),
        "pair_own": (0.01, 0.02, 0.03),
        "pair_left": (0.2, 0.19, 0.18),
        "pair_repaired": (np.nan, np.nan, np.nan),
    } | given
    both = ("scheme", "layer")
    group = {
        "scheme": Variable(("scheme",), np.array(["centred"])),
        "layer": Variable(("layer",), np.array(["l1", "out"])),
        "cause": Variable(("cause",), np.array(CAUSES)),
        "pair_first": Variable(("pair",), np.array([a for a, _ in PAIRS])),
        "pair_second": Variable(("pair",), np.array([b for _, b in PAIRS])),
        "interaction": Variable(both, np.array([interaction])),
        "interaction_error": Variable(both, np.full((1, 2), error)),
        "interaction_median": Variable(both, np.full((1, 2), median)),
        "full": Variable(both, np.full((1, 2), full)),
        "base": Variable(both, np.full((1, 2), 0.01)),
    }
    for name in ("full", "base", *figures):
        group.setdefault(f"{name}_error", Variable(both, np.zeros((1, 2))))
    for name, values in figures.items():
        dims = (*both, "pair" if name.startswith("pair") else "cause")
        group[name] = Variable(dims, np.tile(values, (1, 2, 1)))
        group[f"{name}_error"] = Variable(dims, np.zeros((1, 2, 3)))
    return result_files.result({"ledger/interactions": group})


def say(**figures):
    (line,) = describe_interactions(make(**figures))
    return line


def test_the_layer_where_most_does_not_add_up_is_named_with_its_figures():
    assert say().startswith(
        "Causes of error do not add up in layer out: what none of them makes alone is 20 % of the exact gradient, "
        "beside 30 % that all make. "
    )
    assert "median" not in say()
    assert "A few samples make most of it: for the median one it is 3 %. " in say(median=0.03)


@pytest.mark.parametrize(
    "small", [{"interaction": (0.009, 0.008), "full": 0.01}, {"interaction": (0.07, 0.07)}, {"error": 0.3}]
)
def test_nothing_is_said_of_what_is_small_or_noise(small):
    assert describe_interactions(make(**small)) == []
    assert describe_interactions(result_files.result({})) == []


def test_a_pair_that_makes_most_is_named_with_what_its_repairs_leave():
    own = {"pair_left": (0.2, 0.19, 0.05), "pair_repaired": (np.nan, np.nan, 0.11), "interaction_without": (0.2, 0, 0)}
    line = say(**own)
    assert line.endswith(
        "Most of it noise and adc make together: 5 % are left without that. Without noise the error is 22 %, without "
        "adc 23 %, without both 11 %: judge a repair of one by these, not by the cause alone."
    )
    assert "without adc 23 %: judge" in say(**own | {"pair_repaired": (np.nan, np.nan, np.nan)})


def test_a_cause_that_changes_beside_several_is_named_where_no_pair_is():
    figures = {"interaction_without": (0.2, 0.2, 0.04), "pair_own": (0.0, 0.15, 0.12), "pair_left": (0.2, 0.2, 0.2)}
    assert say(**figures).endswith(
        "Most of it goes with adc: without it 4 % are left. It makes 12 % alone and 13 % here, and not the same "
        "vector, already beside mismatch or noise. Without it the error is 23 %: judge a repair by that, not by the "
        "cause alone."
    )
    assert "not the same vector. Without" in say(**figures | {"pair_own": (0.2, 0.0, 0.0)})


def test_where_nothing_makes_half_the_best_repair_is_named():
    assert say().endswith(
        "No pair of causes that was measured makes half of it, and no cause: several change each other. The largest "
        "gain is without mismatch, which leaves an error of 21 %: judge a repair by that, not by the cause alone."
    )


def test_the_tables_have_a_row_for_every_cause_and_pair():
    causes, pairs = make_interaction_sheets(make())
    assert [row[2] for row in causes.rows[:7]] == [
        *CAUSES,
        "no cause",
        "all causes",
        "interaction",
        "of the median sample",
    ]
    assert causes.rows[0][3:] == ["16 %", "17 %", "21 %", "19 %"]
    assert causes.rows[6][3] == "20 %"
    assert [row[2] for row in pairs.rows[:3]] == ["mismatch + noise", "mismatch + adc", "noise + adc"]
    assert pairs.rows[2][3:] == ["3 %", "18 %", "-"]
    assert make_interaction_sheets(result_files.result({})) == []
