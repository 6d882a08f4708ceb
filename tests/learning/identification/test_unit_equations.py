"""What constants of units do to their equations, against the settled state itself."""

import numpy as np
import pytest

from learning.identification.reads import DenseWiring
from learning.identification.unit_equations import UNITS, KnownNetwork, make_unit_equations
from substrate.theory.inverse_curve import InverseCurve

WIRING = DenseWiring({"in": 5, "l1": 4, "out": 3}, [("in", "l1"), ("l1", "out"), ("out", "l1")])
BLOCKS = {"weight/in-l1": (5, 4), "weight/l1-out": (4, 3), "weight/out-l1": (3, 4), "bias/l1": (4,), "bias/out": (3,)}
LAWS = ("additive", "hopfield")
X = np.random.default_rng(0).uniform(size=(6, 5))


def draw_chip(rng, spread=0.0):
    """Return weights, and constants of the 7 units: slope, gain, gain and offset of the converter, offset."""
    blocks = {name: 0.6 * rng.normal(size=shape) / np.sqrt(shape[0]) for name, shape in BLOCKS.items()}
    return blocks, {name: spread * rng.normal(size=7) for name in (*UNITS, "offset")}


def settle(law, blocks, constants, extra=None):
    """Return the activities as they are read at rest, by layer, from the equations of the units alone."""
    s, g, c = (1.0 + constants[name] for name in UNITS[:3])
    d, o = constants["converter_offset"], constants["offset"]
    drive = X @ blocks["weight/in-l1"] + blocks["bias/l1"]
    drive = np.concatenate([drive, np.tile(blocks["bias/out"], (len(X), 1))], axis=1) + o
    u = np.zeros((len(X), 7))
    for _ in range(4000):
        a = g * np.tanh(s * u)
        h = drive + np.concatenate([a[:, 4:] @ blocks["weight/out-l1"], a[:, :4] @ blocks["weight/l1-out"]], axis=1)
        h = h if extra is None else extra(h)
        u = u + 0.3 * ((h if law == "additive" else g * s * (1.0 - np.tanh(s * u) ** 2) * h) - u)
    read = c * g * np.tanh(s * u) + d
    return {"in": X, "l1": read[:, :4], "out": read[:, 4:]}


def scale_row(blocks, constants, unit, factor):
    """Divide what a unit of l1 sums up, its bias and its offset with it."""
    blocks = {name: block.copy() for name, block in blocks.items()}
    for name in ("weight/in-l1", "weight/out-l1", "bias/l1"):
        blocks[name][..., unit] /= factor
    offset = constants["offset"].copy()
    offset[unit] /= factor
    return blocks, constants | {"offset": offset}


def change(constants, name, unit, factor):
    values = constants[name].copy()
    values[unit] = (1.0 + values[unit]) * factor - 1.0
    return constants | {name: values}


@pytest.mark.parametrize("law", LAWS)
def test_the_same_reads_come_of_a_row_and_its_slope_and_of_a_column_and_its_gain(law):
    """Of one unit nobody tells these apart: both transformations change no read."""
    blocks, constants = draw_chip(np.random.default_rng(1), 0.05)
    plain, factor, unit = settle(law, blocks, constants), 1.2, 2
    by_slope, by_gain = InverseCurve(law, "tanh").powers
    moved, other = scale_row(blocks, change(constants, "slope", unit, factor), unit, factor**by_slope)
    row = settle(law, moved, other)
    other = change(change(constants, "converter_gain", unit, factor), "gain", unit, 1.0 / factor)
    moved, other = scale_row(blocks, other, unit, factor**-by_gain)
    moved["weight/l1-out"][unit] *= factor
    column = settle(law, moved, other)
    for layer in ("l1", "out"):
        np.testing.assert_allclose(row[layer], plain[layer], atol=1e-12)
        np.testing.assert_allclose(column[layer], plain[layer], atol=1e-12)
    alone = settle(law, blocks, change(constants, "slope", unit, factor))
    assert np.abs(alone["l1"] - plain["l1"]).max() > 1e-3


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("begin", [0.0, 0.1])
def test_equations_hold_to_second_order_of_every_constant(law, name, begin):
    """Residuals are what the features say, near no constants and near known ones; half of it leaves a quarter."""
    rng = np.random.default_rng(2)
    blocks, constants = draw_chip(rng, begin)
    constants["offset"] = np.zeros(7)
    network = KnownNetwork(WIRING, InverseCurve(law, "tanh"), blocks, "relative", shared=False, coupled=True)
    step, left = rng.normal(size=7), []
    known = {key: constants[key] for key in UNITS}
    for size in (0.01, 0.005):
        real = constants | {name: constants[name] + size * step}
        found = make_unit_equations(network, settle(law, blocks, real), known)
        assert found.equations.told.mean() > 0.9
        residual = found.equations.residual.copy()
        for key in ("slope", "gain"):
            residual -= found.features[key] * real[key][:, None]
        for key, part in found.equations.shared.items():
            residual -= part @ real[key]
        left.append(np.abs(residual[found.equations.told]).max())
    assert left[1] < 0.3 * left[0] + 1e-12


def test_what_is_not_kept_is_0_in_every_part():
    blocks, constants = draw_chip(np.random.default_rng(3))
    network = KnownNetwork(WIRING, InverseCurve("additive", "tanh"), blocks, "relative", shared=False, coupled=True)
    found = make_unit_equations(network, settle("additive", blocks, constants), {key: constants[key] for key in UNITS})
    told = np.random.default_rng(0).uniform(size=(7, len(X))) < 0.6
    found.equations.told[2, 1] = False
    told[2, 1] = True
    kept = found.keep(told)
    which = told & found.equations.told
    assert not which.all()
    np.testing.assert_array_equal(kept.equations.told, which)
    assert not kept.equations.residual[~which].any()
    for name, part in kept.features.items():
        assert not part[~which].any()
        # A constant of a unit is one number: its covariance has rank 1.
        np.testing.assert_array_equal(kept.equations.own[name], part[:, :, None] * part[:, None, :])
    for part in kept.equations.shared.values():
        assert not part[~which].any()
    for part in kept.equations.own.values():
        assert not part[~which].any()
        assert not part.transpose(0, 2, 1)[~which].any()
