"""What a scenario may say about schemes and rules, and what it is told when it cannot."""

import tomllib

import pytest

from learning.optimisers.optimiser import AdamW, Sgd
from learning.rules.asym_ep import AsymEP
from learning.rules.contrastive import Contrastive
from learning.rules.kolen_pollack import KolenPollack
from learning.rules.rule import RULES
from scenarios.data.datasets import Outline
from scenarios.experiments.estimate import estimate_workload
from scenarios.language.load import load_scenario
from scenarios.report.explain import explain_scenario
from scenarios.schema.scenario import Learning, ScenarioSpec
from tests.scenarios.scenario_files import GOOD, assert_tells, changed, line_of, only_fault, write

CENTRED = '{ kind = "centred", beta = 0.2 }'
FREE = "free = { steps = 10 }"


def with_scheme(text, more=""):
    return changed(CENTRED, text).replace(FREE, f"{FREE}\n{more}")


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ('"contrastive"', Contrastive()),
        ('{ kind = "contrastive" }', Contrastive()),
        ('"kolen-pollack"', KolenPollack()),
        ('{ kind = "kolen-pollack", decay = 0.1 }', KolenPollack(decay=0.1)),
        ('{ kind = "asym-ep", knowledge = "exact" }', AsymEP(knowledge="exact")),
    ],
)
def test_a_rule_is_a_table_or_a_name(tmp_path, rule, expected):
    loaded = load_scenario(write(tmp_path, changed("[task]", f"rule = {rule}\n\n[task]")))
    assert loaded.scenario.learning.rule == expected
    text = explain_scenario(loaded)
    assert load_scenario(write(tmp_path, text, "again.toml")).scenario == loaded.scenario
    assert tomllib.loads(text)["learning"]["rule"]["kind"] == expected.kind


@pytest.mark.parametrize("kind", RULES.names)
def test_every_rule_has_a_name(kind):
    assert Learning.model_validate({"rule": kind}).rule.kind == kind


@pytest.mark.parametrize(
    ("rule", "path", "message", "hint"),
    [
        ('"contrasive"', "learning.rule", "must be 'error-vector', 'asym-ep'", "did you mean 'contrastive'?"),
        ('{ kind = "dyadc" }', "learning.rule.kind", "must be 'error-vector', 'asym-ep'", "mean 'dyadic'?"),
        ('{ kind = "dyadic", decay = 1 }', "learning.rule.decay", "unknown key", "kind"),
        ('{ kind = "kolen-pollack", decay = -1 }', "learning.rule.decay", "must be >= 0", "0 to 10"),
        ('{ kind = "asym-ep", knowledge = "all" }', "learning.rule.knowledge", "must be 'programmed' or 'exact'", None),
    ],
)
def test_a_wrong_rule_is_explained(tmp_path, rule, path, message, hint):
    fault = only_fault(write(tmp_path, changed("[task]", f"rule = {rule}\n\n[task]")))
    assert_tells(fault, path, message, hint)


@pytest.mark.parametrize(
    ("optimiser", "expected"),
    [
        ("{ rate = 0.1 }", Sgd(rate=0.1)),
        (
            '{ kind = "sgd", rates = { l1-out = 0.1, "readout/bias" = 0 } }',
            Sgd(rates={"l1-out": 0.1, "readout/bias": 0.0}),
        ),
        ('{ kind = "adamw", schedule = "cosine" }', AdamW(kind="adamw", schedule="cosine")),
        ("{ spectral_caps = { out-l1 = 1.0 } }", Sgd(spectral_caps={"out-l1": 1.0})),
    ],
)
def test_an_optimiser_is_read_and_written(tmp_path, optimiser, expected):
    loaded = load_scenario(write(tmp_path, changed("[task]", f"optimiser = {optimiser}\n\n[task]")))
    assert loaded.scenario.learning.optimiser == expected
    assert load_scenario(write(tmp_path, explain_scenario(loaded), "again.toml")).scenario == loaded.scenario
    assert load_scenario(tmp_path / "again.toml", ["learning.optimiser.rate=2"]).scenario.learning.optimiser.rate == 2.0


@pytest.mark.parametrize(
    ("optimiser", "path", "message", "hint"),
    [
        ('{ kind = "adam" }', "learning.optimiser.kind", "must be 'sgd' or 'adamw'", "did you mean 'adamw'?"),
        ('{ kind = "adamw", momentum = 0.5 }', "learning.optimiser.momentum", "unknown key", None),
        ("{ rates = { l1-l3 = 1 } }", "learning.optimiser.rates.l1-l3", "nothing in this network", "l1-out"),
        ('{ spectral_caps = { "bias/l1" = 1 } }', "learning.optimiser.spectral_caps.bias/l1", "nothing", "l1-out"),
        ("{ rates = { l1-out = -1 } }", "learning.optimiser.rates.l1-out", "must be >= 0", None),
        ("{ clip = 0 }", "learning.optimiser.clip", "must be > 0", None),
        ('{ schedule = "linear" }', "learning.optimiser.schedule", "must be 'constant' or 'cosine'", None),
    ],
)
def test_a_wrong_optimiser_is_explained(tmp_path, optimiser, path, message, hint):
    fault = only_fault(write(tmp_path, changed("[task]", f"optimiser = {optimiser}\n\n[task]")))
    assert ".".join(map(str, fault.path)) == path
    assert message in fault.message
    assert hint is None or hint in (fault.hint or "")


def test_only_asym_ep_corrects_the_chip():
    corrections = {kind: Learning.model_validate({"rule": kind}).correction for kind in ("dyadic", "asym-ep")}
    assert corrections == {"dyadic": "none", "asym-ep": "programmed"}
    assert Learning.model_validate({"rule": {"kind": "asym-ep", "knowledge": "exact"}}).correction == "exact"


@pytest.mark.parametrize(
    ("scheme", "dynamics", "words", "hint"),
    [
        ('{ kind = "lock-in", beta = 0.2, period = 20 }', 'mode = "equilibrium"', "needs a trajectory", "chebyshev"),
        ('{ kind = "rotation", beta = 0.2, period = 20 }', 'method = "rk45"', "needs a trajectory", "circle"),
        ('{ kind = "lock-in", beta = 0.2, period = 1.5, harmonics = 2 }', "", "has 6 steps, 8 are needed", "2 tau"),
        ('{ kind = "rotation", beta = 0.2, period = 0.5 }', "", "has 2 steps, 4 are needed", "1 tau"),
        ('{ kind = "lock-in", beta = 0.2, period = 20 }', 'method = "heun"', "needs a trajectory", "exponential"),
        ('{ kind = "lock-in", beta = 0.2, period = 20 }', '[phases]\nnudge = "held"', "cannot swing", "continuous"),
    ],
)
def test_a_swing_needs_steps(tmp_path, scheme, dynamics, words, hint):
    fixed = "" if "steps" in words else "free = { max_steps = 10 }"
    text = with_scheme(scheme, dynamics).replace(FREE, fixed or FREE)
    fault = only_fault(write(tmp_path, text))
    assert_tells(fault, "learning.schemes.0", words, hint)


@pytest.mark.parametrize("kind", ["lock-in", "rotation"])
def test_a_swing_has_no_settling_curve(tmp_path, kind):
    text = with_scheme(f'{{ kind = "{kind}", beta = 0.2, period = 20 }}')
    text = text.replace('kind = "measure"\nsamples = 16', 'kind = "settle"')
    fault = only_fault(write(tmp_path, text))
    assert fault.path == ("learning", "schemes", 0)
    assert "never settles" in fault.message
    assert "centred" in fault.hint


def test_a_period_in_seconds_is_one_in_tau(tmp_path):
    seconds = with_scheme('{ kind = "lock-in", beta = 0.2, period = "20 us" }', '[physical]\ntau = "2 us"')
    plain = with_scheme('{ kind = "lock-in", beta = 0.2, period = 10 }', '[physical]\ntau = "2 us"')
    loaded, other = (
        load_scenario(write(tmp_path, text, name)) for text, name in ((seconds, "a.toml"), (plain, "b.toml"))
    )
    assert (
        loaded.scenario.in_units().tried()
        == other.scenario.in_units().tried()
        == loaded.scenario.in_units().learning.all_schemes()
    )
    assert loaded.scenario.in_units().tried()[0].label == "lock-in 1, period 10, beta 0.2"
    again = explain_scenario(loaded)
    assert 'period = "20 us"' in again
    assert load_scenario(write(tmp_path, again, "again.toml")).scenario == loaded.scenario


def test_a_period_in_seconds_needs_tau(tmp_path):
    text = with_scheme('{ kind = "lock-in", beta = 0.2, period = "20 us" }').replace('"circle"', '"chebyshev"')
    fault = only_fault(write(tmp_path, text))
    assert fault.path == ("learning", "schemes", 0, "period")
    assert fault.line == line_of(text, "lock-in")
    assert "needs [physical] tau" in fault.message


def test_a_rotation_needs_complex_states(tmp_path):
    text = with_scheme('{ kind = "rotation", beta = 0.2, period = 20 }').replace('"circle"', '"chebyshev"')
    fault = only_fault(write(tmp_path, text.replace('"sigmoid"', '"hard-sigmoid"')))
    assert fault.path == ("learning", "schemes", 0)
    assert "needs complex states" in fault.message


@pytest.mark.parametrize("points", [3, 18])
def test_numbers_of_chebyshev_points_are_listed(tmp_path, points):
    fault = only_fault(write(tmp_path, with_scheme(f'{{ kind = "chebyshev", beta = 0.2, points = {points} }}')))
    assert fault.path == ("learning", "schemes", 0, "points")
    assert "must be 2, 4, 6" in fault.message


def test_the_cost_of_a_swing_is_told():
    data = tomllib.loads(GOOD)
    data["dynamics"] |= {"nudged": {"steps": 4}}
    outline = Outline(samples=100, inputs=4, classes=2, test_samples=40)

    def load_of(scheme):
        data["learning"]["schemes"] = [scheme]
        return estimate_workload(ScenarioSpec.model_validate(data), outline)

    still = load_of({"kind": "one-sided", "beta": 0.2})
    lock_in = load_of({"kind": "lock-in", "beta": 0.2, "period": 10.0, "cycles": 2})
    turning = load_of({"kind": "rotation", "beta": 0.2, "period": 10.0, "cycles": 2})
    measured = 16 * (1 + 2)  # as it is, and after each of two changes that might help
    assert still.settlings == lock_in.settlings == turning.settlings == measured * 2
    recurrent = 2 * 8 * 2
    assert lock_in.operations - still.operations == pytest.approx(2 * measured * (3 * 40 - 4) * recurrent)
    assert turning.operations - lock_in.operations == pytest.approx(2 * measured * 3 * 40 * recurrent)
    assert turning.memory > lock_in.memory > still.memory
