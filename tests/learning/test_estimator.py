import numpy as np
import pytest

from learning.estimator import estimate, measure_free
from learning.oracle.exact import exact
from learning.oracle.ledger.runs import joined
from learning.schemes.scheme import Centred, Circle, OneSided
from substrate.dynamics.methods import Phase
from substrate.protocol import Bench, Status
from tests.networks import random_batch, random_chip

PORTS = {name for name in vars(Bench) if not name.startswith("_")}


class OnlyBench:
    """Shows of a chip what the protocol names, and nothing else."""

    def __init__(self, chip):
        self._chip = chip

    def __getattr__(self, name):
        if name not in PORTS:
            raise AttributeError(name)
        return getattr(self._chip, name)


def test_the_bench_shows_no_weight():
    settling = {"set_input", "settle", "read", "read_cycle", "settle_errors", "read_errors"}
    probing = {"layers", "read_drives", "settle_injected"}
    assert {"connections", "readout", *settling, *probing, "write", "budget"} == PORTS


@pytest.mark.parametrize("scheme", [OneSided(beta=0.2), Centred(beta=0.2), Circle(beta=0.2, points=5)])
def test_an_estimate_needs_only_the_bench(scheme):
    chip = random_chip(sigma=0.1)
    x, y = random_batch(chip)
    bench = OnlyBench(chip)
    seen = estimate(bench, measure_free(bench, x), y, scheme)
    full = estimate(chip, measure_free(chip, x), y, scheme)
    np.testing.assert_array_equal(joined(seen), joined(full))
    with pytest.raises(AttributeError):
        _ = bench.effective


def test_a_mirrored_node_is_its_conjugate():
    """Settling the lower half of the circle too gives the same estimate."""

    class Whole(Circle):
        def nodes(self):
            nodes = super().nodes()
            lower = [
                node._replace(beta=node.beta.conjugate(), weight=node.weight.conjugate())
                for node in nodes
                if node.mirrored
            ]
            return [node._replace(mirrored=False) for node in [*nodes, *lower]]

    chip = random_chip("lateral", sigma=0.1)
    x, y = random_batch(chip)
    free = measure_free(chip, x)
    half = estimate(chip, free, y, Circle(beta=0.4, points=6))
    whole = estimate(chip, free, y, Whole(beta=0.4, points=6))
    np.testing.assert_allclose(joined(half), joined(whole), rtol=0, atol=1e-12)
    for layer, factor in half.presynaptic.items():
        np.testing.assert_allclose(factor, whole.presynaptic[layer], rtol=0, atol=1e-13)


@pytest.mark.parametrize("choice", ["mean", "free"])
def test_presynaptic_factor(choice):
    chip = random_chip()
    x, y = random_batch(chip)
    free = measure_free(chip, x)
    measured = estimate(chip, free, y, Circle(beta=0.3, points=4), choice)
    np.testing.assert_allclose(measured.presynaptic["in"], x, rtol=0, atol=1e-15)
    for layer, factor in measured.presynaptic.items():
        # The mean over the circle is the value at its centre, to fourth order.
        np.testing.assert_allclose(factor, free.activity[layer], rtol=0, atol=0.0 if choice == "free" else 1e-4)


def test_estimates_tend_to_the_exact_gradient_on_a_symmetric_chip():
    chip = random_chip(symmetric=True)
    x, y = random_batch(chip)
    free = measure_free(chip, x)
    measured = estimate(chip, free, y, Centred(beta=1e-3))
    reference = exact(chip, y).delta
    np.testing.assert_allclose(joined(measured), reference, rtol=0, atol=1e-6 * np.abs(reference).max())


def test_the_worst_status_of_a_sample_is_kept():
    chip = random_chip(phase=Phase(max_steps=60, tolerance=1e-10))
    x, y = random_batch(chip)
    free = measure_free(chip, x)
    assert (free.settled.status == Status.SETTLED).all()
    hurried = chip.variant(
        dynamics=chip.design.dynamics.model_copy(update={"nudged": Phase(max_steps=2, tolerance=1e-10)})
    )
    measured = estimate(hurried, measure_free(hurried, x), y, Centred(beta=0.1))
    assert (measured.status == Status.STEP_LIMIT).all()
    assert (measured.steps == 4).all()


def test_relabelling_units_relabels_the_estimate():
    chip = random_chip(symmetric=True)
    order = np.random.default_rng(0).permutation(7)
    blocks = dict(chip.programmed)
    blocks["weight/in-l1"] = blocks["weight/in-l1"][:, order]
    blocks["bias/l1"] = blocks["bias/l1"][order]
    blocks["weight/l1-l2"] = blocks["weight/l1-l2"][order]
    blocks["weight/l2-l1"] = blocks["weight/l2-l1"][:, order]
    other = type(chip)(chip.design, blocks)
    x, y = random_batch(chip)
    a, b = (estimate(c, measure_free(c, x), y, Circle(beta=0.2)).delta for c in (chip, other))
    np.testing.assert_allclose(a["l1"][:, order], b["l1"], rtol=0, atol=1e-12)
    np.testing.assert_allclose(a["out"], b["out"], rtol=0, atol=1e-12)
