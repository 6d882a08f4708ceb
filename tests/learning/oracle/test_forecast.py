"""Forecasts of the cosine of one measurement, against measurements.

Means over 16 samples and 12 repeats scatter by some 0.01. The forecast is that of many units: in layers of 4 to 7 it
is off by up to 0.02 where noise is half of the estimate.
"""

import numpy as np
import pytest

from devices.interface.converter import Adc, Converters
from devices.interface.hold import Hold
from devices.neuron.noise import Noise, Telegraph
from learning.oracle.exact import compute_exact_errors
from learning.oracle.forecast import ForecastBatch, forecast_cosines, forecast_variance
from learning.oracle.ledger.runs import Trial, run_without_causes
from learning.oracle.ledger.statistics import compute_cosines
from learning.oracle.ledger.vectors import make_ledger
from learning.schemes.nodes import Centred, Circle, OneSided
from learning.schemes.wave import LockIn
from scenarios.build import make_setup
from scenarios.language.load import load_scenario
from scenarios.language.places import CATALOGUE
from substrate.dynamics.methods import Phase
from substrate.dynamics.phases import Phases
from tests.networks import random_batch, random_chip

FEW = 0.03
"""Tolerance in layers of a few units."""

PHASES = {"dt": 0.1, "phase": Phase(duration=10.0), "dynamics": {"method": "exponential"}}
WINDOW = {"dt": 0.1, "phase": Phase(duration=10.0, window=3.0), "dynamics": {"method": "exponential"}}
READ = {"symmetric": True, "sigma": 0.1, "scale": 1.0}


def compare(chip, x, y, scheme, repeats=12):
    """Return the measured and the foretold mean cosine of every layer."""
    trial = Trial(x, y, [scheme])
    runs = run_without_causes(chip, trial, repeats)
    book = make_ledger(runs, trial, 0)
    reference, keep = runs.reference, book.keep
    variance = forecast_variance(chip, reference, ForecastBatch(x, y), scheme)
    true, quiet = reference.delta[keep], book.steps[1 + book.names.index("readout")][keep]
    found = []
    for columns in chip.topology.columns.values():
        measured = [
            compute_cosines(run.taken[0].delta[keep][:, columns], true[:, columns]).mean() for run in runs.repeats
        ]
        plain = compute_cosines(quiet[:, columns], true[:, columns])
        found.append((np.mean(measured), forecast_cosines(quiet[:, columns], plain, variance[keep][:, columns]).mean()))
    return np.array(found).T


@pytest.mark.parametrize("law", ["additive", "hopfield"])
@pytest.mark.parametrize("scheme", [Centred(beta=0.2), OneSided(beta=0.2), Circle(beta=0.2, points=4)])
def test_noise_of_reads(law, scheme):
    chip = random_chip(law=law, noise=Noise(read=2e-4), **READ | {"scale": 0.7, "cost": "mse"})
    # Five of the samples are half noise, with a cosine that scatters by 0.3: their mean over the batch by 0.006.
    measured, foretold = compare(chip, *random_batch(chip, 16), scheme, repeats=48)
    np.testing.assert_allclose(foretold, measured, rtol=0, atol=FEW)
    assert 0.3 < measured.min() < 0.998, measured


@pytest.mark.parametrize(
    "devices",
    [
        {"noise": Noise(read_relative=1e-3)},
        {"noise": Noise(thermal=5e-4), **PHASES},
        {"noise": Noise(thermal=1e-3), **WINDOW},
        {"noise": Noise(read_flicker=1e-3, read=2e-4), **PHASES},
        {"noise": Noise(telegraph=Telegraph(amplitude=2e-3, time=20.0)), **PHASES},
        {"hold": Hold(noise=1e-3)},
        {"converters": Converters(readout=Adc(bits=11, range=[-0.5, 1.5], stochastic=True))},
        {"converters": Converters(readout=Adc(bits=11, range=[-0.5, 1.5])), "noise": Noise(read=2e-4)},
    ],
    ids=["relative", "membranes", "windows", "flicker", "telegraph", "hold", "random rounding", "dither"],
)
def test_other_noise(devices):
    chip = random_chip(**READ | devices)
    measured, foretold = compare(chip, *random_batch(chip, 16), Centred(beta=0.2))
    np.testing.assert_allclose(foretold, measured, rtol=0, atol=FEW)
    assert 0.3 < measured.min() < 0.998, measured


def test_without_noise_the_forecast_is_what_is_found():
    chip = random_chip(sigma=0.1)
    measured, foretold = compare(chip, *random_batch(chip, 4), Centred(beta=0.2), 1)
    np.testing.assert_array_equal(measured, foretold)


@pytest.mark.parametrize(
    ("phases", "scheme"),
    [(Phases(noise="common"), Centred(beta=0.2)), (Phases(), LockIn(beta=0.2, period=20.0))],
    ids=["common draws", "swing"],
)
def test_what_is_not_known_is_not_foretold(phases, scheme):
    chip = random_chip(noise=Noise(thermal=1e-3), phases=phases, **PHASES)
    x, y = random_batch(chip, 3)
    quiet = chip.without("noise")
    quiet.set_input(x)
    quiet.settle()
    reference = compute_exact_errors(quiet, y)
    assert forecast_variance(chip, reference, ForecastBatch(x, y), scheme) is None


@pytest.mark.slow
@pytest.mark.parametrize("name", ["cmos-130nm", "ecram", "pcm"])
def test_technologies_of_the_catalogue(name):
    setup = make_setup(load_scenario(CATALOGUE / f"{name}.toml"))
    chip, data = setup.chip(), setup.data
    measured, foretold = compare(chip, data.x[:32], data.y[:32], setup.schemes[0], 3)
    np.testing.assert_allclose(foretold, measured, rtol=0, atol=0.02)
