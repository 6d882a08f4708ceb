"""Intervals of fits against planted values, over 100 drawn sets of measurements.

An interval of 90 % covers 82 to 97 of 100 with a probability of 99.3 %: false alarms are 0.7 % a value. Values that
are found as bounds from one side cover more often, and are not here.
"""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from devices.programming.laws import ConstantStep
from scenarios.fitting.columns import Columns
from scenarios.fitting.fit import _KINDS, FitOptions

from .planted import pulse_trains, slow_noise

DRAWS = 100


def draw_weights(rng):
    target = rng.uniform(-1.0, 1.0, 300)
    noise = target * 0.1 * rng.normal(size=300) + 0.02 * rng.normal(size=300)
    truth = {"realised.absolute": 0.02, "realised.relative": 0.1, "realised.offset": 0.0, "realised.gain": 1.0}
    return {"target": target, "measured": target + noise}, truth


def draw_relative_weights(rng):
    target = rng.uniform(-1.0, 1.0, 60)
    return {"target": target, "measured": target * (1.0 + 0.1 * rng.normal(size=60))}, {"weights.mismatch_sigma": 0.1}


def draw_white_reads(rng):
    return {"value": 0.5 * rng.normal(size=(4, 400))}, {"noise.read": 0.5}


def draw_correlated_reads(rng):
    slow = np.array([slow_noise("ou", 1500, rng) for _ in range(4)])
    truth = {"noise.read": 0.5, "reads.slow": 1.0, "reads.tau_c": 12.0}
    return {"value": slow + 0.5 * rng.normal(size=slow.shape)}, truth


def draw_flicker_reads(rng):
    slow = np.array([slow_noise("flicker", 1500, rng, octaves=9) for _ in range(4)])
    return {"value": slow + 0.5 * rng.normal(size=slow.shape)}, {"noise.read": 0.5}


def draw_currents(rng):
    v, g = np.linspace(-1.0, 1.0, 21), 1e-5 * (1.0 + 0.1 * rng.normal(size=20))
    current = g[:, None] * (v + 0.2 * v**3) + 2e-8 * rng.normal(size=(20, 21))
    truth = {"iv.conductance": 1e-5, "iv.cubic": 0.2, "weights.mismatch_sigma": 0.1}
    return {"voltage": np.broadcast_to(v, current.shape), "current": current}, truth


def draw_sinh_currents(rng):
    v, g = np.linspace(-1.0, 1.0, 21), 1e-5 * (1.0 + 0.1 * rng.normal(size=20))
    current = g[:, None] * 0.4 * np.sinh(v / 0.4) + 1e-7 * rng.normal(size=(20, 21))
    return {"voltage": np.broadcast_to(v, current.shape), "current": current}, {"iv.scale": 0.4}


def draw_curves(rng):
    u, units = np.linspace(-3.0, 3.0, 31), 16
    gain, slope, offset = (mean + sigma * rng.normal(size=units) for mean, sigma in ((1, 0.05), (1, 0.03), (0, 0.1)))
    a = gain[:, None] * np.tanh(slope[:, None] * (u + offset[:, None])) + 0.003 * rng.normal(size=(units, 31))
    truth = {"neurons.gain_sigma": 0.05, "neurons.slope_sigma": 0.03, "neurons.offset_sigma": 0.1}
    return {"input": np.broadcast_to(u, a.shape), "output": a}, truth


def draw_trains(rng):
    law = ConstantStep(
        step=0.015, up_down=0.1, step_sigma=0.2, up_down_sigma=0.1, cycle_sigma=0.3, w_max=1.0, w_min=-1.0
    )
    seed = int(rng.integers(1 << 30))
    weight, direction = pulse_trains(law, devices=12, pulses=200, cycles=1, read=0.005, seed=seed)
    arrays = {"weight": weight, "direction": np.broadcast_to(direction, weight.shape)}
    return arrays, {"update.step_sigma": 0.2, "update.up_down_sigma": 0.1}


def draw_ramp(rng):
    """Sixteen codes on a ramp of 40 samples per code, with noise of a tenth of a step."""
    real = np.sort(np.arange(15) + 0.5 + 0.15 * rng.normal(size=15))
    ramp = np.linspace(-1.0, 17.0, 720) + rng.uniform(0.0, 0.025)
    step = (real[-1] - real[0]) / 14.0
    low = real[0] - 0.5 * step
    code = np.searchsorted(real, ramp + 0.1 * rng.normal(size=720))
    return {"input": ramp, "code": code}, {"adc.low": low, "adc.high": low + 16.0 * step}


KINDS = {
    "adc": (draw_ramp,),
    "weights": (draw_weights, draw_relative_weights),
    "reads": (draw_white_reads, draw_correlated_reads, draw_flicker_reads),
    "iv": (draw_currents, draw_sinh_currents),
    "transfer": (draw_curves,),
    "pulses": (draw_trains,),
}


def count_covered(kind, draw, draws):
    """Return the share of drawn sets whose interval holds what was planted, by value."""
    covered = Counter()
    for seed in range(draws):
        arrays, truth = draw(np.random.default_rng([7, seed]))
        shape = next(iter(arrays.values())).shape
        values = {name: np.array(array, dtype=float).ravel() for name, array in arrays.items()}
        if len(shape) == 2:
            values["device"] = np.repeat(np.arange(shape[0], dtype=float), shape[1])
        columns = Columns(Path(kind), values, dict.fromkeys(values, ""))
        tables = _KINDS[kind].fit(columns, FitOptions()).tables
        for name, true in truth.items():
            table, key = name.split(".")
            one = tables.get(table, {}).get(key)
            covered[name] += one is not None and one.low <= true <= one.high
    return {name: count / draws for name, count in covered.items()}


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "draw"), [(kind, draw) for kind, draws in KINDS.items() for draw in draws])
def test_intervals_of_fits_cover_as_often_as_they_say(kind, draw):
    shares = count_covered(kind, draw, DRAWS)
    assert all(0.82 <= share <= 0.97 for share in shares.values()), shares
