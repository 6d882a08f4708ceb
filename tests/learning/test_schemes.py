import numpy as np
import pytest

from learning.estimators import estimate, measure_free
from learning.exact import exact
from learning.ledger import joined
from learning.schemes import Backward, Centred, Circle, OneSided, label
from tests.networks import random_batch, random_chip, slope_of

SCHEMES = [OneSided, Backward, Centred, Circle]
ORDERS = [
    (OneSided, {}, 1, [0.1, 0.05, 0.025, 0.0125, 0.00625]),
    (Backward, {}, 1, [0.1, 0.05, 0.025, 0.0125, 0.00625]),
    (Centred, {}, 2, [0.2, 0.1, 0.05, 0.025, 0.0125]),
    (Circle, {"points": 3}, 3, [0.2, 0.1, 0.05, 0.025, 0.0125]),
    (Circle, {"points": 4}, 4, [0.4, 0.2, 0.1, 0.05, 0.025]),
    (Circle, {"points": 6}, 6, [0.4, 0.3, 0.2, 0.15, 0.1]),
]


def all_nodes(scheme):
    for node in scheme.nodes():
        yield complex(node.beta), complex(node.weight)
        if node.mirrored:
            yield complex(node.beta).conjugate(), complex(node.weight).conjugate()


@pytest.mark.parametrize(
    "scheme",
    [OneSided(beta=0.3), Backward(beta=0.3), Centred(beta=0.3), *(Circle(beta=0.3, points=n) for n in range(2, 9))],
)
def test_weights_differentiate(scheme):
    """A constant gives zero, the identity gives one, higher powers vanish up to the order."""
    order = {"one-sided": 1, "backward": 1, "centred": 2}.get(scheme.kind) or scheme.points
    for power in range(order + 1):
        value = sum(weight * beta**power for beta, weight in all_nodes(scheme))
        assert value == pytest.approx(1.0 if power == 1 else 0.0, abs=1e-13), power


@pytest.mark.parametrize("points", range(2, 9))
def test_circle_has_its_points(points):
    betas = [beta for beta, _ in all_nodes(Circle(beta=0.5, points=points))]
    expected = 0.5 * np.exp(2j * np.pi * np.arange(points) / points)
    np.testing.assert_allclose(
        np.sort_complex(np.round(betas, 12)), np.sort_complex(np.round(expected, 12)), atol=1e-11
    )


def test_circle_of_two_is_the_centred_scheme():
    assert Circle(beta=0.3, points=2).nodes() == Centred(beta=0.3).nodes()


@pytest.mark.parametrize(("kind", "fields", "order", "betas"), ORDERS)
def test_truncation_order(kind, fields, order, betas):
    chip = random_chip("reciprocal", seed=2)
    x, y = random_batch(chip)
    free = measure_free(chip, x)
    limit = exact(chip, y).ep
    errors = []
    for beta in betas:
        measured = estimate(chip, free, y, kind(beta=beta, **fields))
        assert (measured.status == 0).all()
        errors.append(float(np.linalg.norm(joined(measured) - limit)))
    slope = slope_of(betas, errors)
    assert abs(slope - order) < 0.15, (slope, errors)
    assert errors[-1] < 0.01 * np.linalg.norm(limit)


def test_labels_are_short():
    assert label(Circle(beta=0.2, points=4)) == "circle 4, beta 0.2"
    assert label(OneSided(beta=0.05)) == "one-sided, beta 0.05"
