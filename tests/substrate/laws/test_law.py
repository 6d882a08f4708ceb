"""What every drift law promises: its parts belong together, and nobody else knows it by name."""

import ast
from pathlib import Path

import numpy as np
import pytest

from substrate.laws.law import LAWS

ROOT = Path(__file__).parents[3]
STEP = 1e-6


def network(units=5, batch=3):
    """Return a coupling that is not symmetric, states and a constant drive; units are ``tanh``."""
    rng = np.random.default_rng(2)
    return rng.normal(size=(units, units)), rng.normal(size=(batch, units)), rng.normal(size=(batch, units))


def slope(u):
    return 1.0 - np.tanh(u) ** 2


def drift(law, coupling, u, constant):
    return law.drift(u, np.tanh(u) @ coupling.T + constant, slope(u))


@pytest.fixture(params=LAWS)
def law(request):
    return LAWS[request.param]


def test_every_law_has_a_name_and_a_code_of_its_own():
    assert [law.NAME for law in LAWS.values()] == list(LAWS)
    assert len({law.CODE for law in LAWS.values()}) == len(LAWS)


def test_the_stiffness_is_minus_the_derivative_of_the_drift(law):
    coupling, u, constant = network()
    v = np.random.default_rng(3).normal(size=u.shape)
    bend = -2.0 * np.tanh(u) * slope(u) * (np.tanh(u) @ coupling.T + constant)
    ends = [drift(law, coupling, u + sign * STEP * v, constant) for sign in (1.0, -1.0)]
    found = law.stiffness(v, (slope(u) * v) @ coupling.T, slope(u), bend)
    np.testing.assert_allclose(found, (ends[1] - ends[0]) / (2.0 * STEP), rtol=0, atol=1e-8)
    rows = [law.stiffness_matrix(coupling, slope(u)[k], bend[k]) @ v[k] for k in range(len(u))]
    np.testing.assert_allclose(rows, found, rtol=0, atol=1e-13)


def test_a_law_responds_to_its_drive(law):
    _, u, h = network()
    change = np.random.default_rng(4).normal(size=u.shape)
    moved = law.drift(u, h + change, slope(u)) - law.drift(u, h, slope(u))
    np.testing.assert_allclose(law.respond(change, slope(u)), moved, rtol=0, atol=1e-13)


def test_the_energy_falls_wherever_couplings_are_symmetric(law):
    """Its derivative along the motion is minus a sum of squares; ``log cosh`` is the integral of ``tanh``."""
    coupling, u, constant = network()
    coupling = coupling + coupling.T

    def energy(u):
        a = np.tanh(u)
        return law.energy(u, a, np.log(np.cosh(u)), a @ coupling.T, constant)

    force = drift(law, coupling, u, constant)
    ends = [energy(u + sign * STEP * force) for sign in (1.0, -1.0)]
    weight = 1.0 if law.SLOPED else slope(u)
    np.testing.assert_allclose((ends[0] - ends[1]) / (2.0 * STEP), -np.sum(weight * force**2, axis=1), rtol=1e-6)


def compared_names(text):
    """Return the lines that compare something with the name of a law."""
    found = []
    for node in ast.walk(ast.parse(text)):
        sides = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        found += [node.lineno for side in sides if isinstance(side, ast.Constant) and side.value in LAWS]
    return found


def test_nobody_knows_a_law_by_name():
    files = [path for package in ("substrate", "learning", "scenarios") for path in (ROOT / package).rglob("*.py")]
    found = {path.relative_to(ROOT).as_posix(): compared_names(path.read_text(encoding="utf-8")) for path in files}
    assert {path: lines for path, lines in found.items() if lines} == {}


def test_a_branch_on_a_name_is_seen():
    assert compared_names('a = law == "hopfield"\nb = "additive" != law') == [1, 2]
