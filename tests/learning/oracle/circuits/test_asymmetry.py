"""What of an asymmetry nominal gains explain, what one factor per node cures, and what neither does."""

from itertools import chain

import numpy as np
import pytest

import nudgelab
from learning.circuits.squared import SquaredDrops
from learning.oracle.circuits.ledger import CircuitTrial, measure_circuit
from learning.oracle.circuits.remedies import CircuitMeans, measure_circuit_remedies
from learning.schemes.nodes import Centred
from substrate.circuits.chip import CircuitChip
from substrate.circuits.circuit import Amplifiers, CircuitGraph, Conductors, Diodes
from substrate.circuits.design import CircuitDesign, Feeds, LearnedBlock
from substrate.circuits.forms import make_oracle
from tests.learning.oracle.circuits.test_ledger import measure

PARTS = ("metric", "per_node", "irreducible")

SHAPES = {
    # Amplifiers from a node to a resistor, by (entry, node behind the resistor).
    "chain": (["n0-n1", "n1-n2", "n2-y0"], ["y0"]),
    "tree": (["n0-n2", "n1-n2", "n2-n3", "n4-n3", "n3-y0"], ["y0"]),
    "branches": (["n0-n1", "n1-y0", "n1-y1", "n0-y2"], ["y0", "y1", "y2"]),
    "ring": (["n0-n1", "n0-n2", "n1-y0", "n2-y0", "n1-y1", "n2-y1"], ["y0", "y1"]),
}


def make_amplified(shape, sigma=0.3, metric=1.0, forward=2.0, backward=0.5, diodes=False):
    """Return a circuit whose amplifiers have gains of their own, a source at every inner node, two nodes an island."""
    paths, outputs = SHAPES[shape]
    ends = [path.split("-") for path in paths]
    inner = [name for name in dict.fromkeys(chain.from_iterable(ends)) if name not in outputs]
    names = ["0", *(f"x{k}" for k in range(len(inner))), *inner, *(f"m{k}" for k in range(len(inner))), *outputs]
    names += [f"exit{k}" for k in range(len(ends))]
    place = {name: k for k, name in enumerate(names)}
    joins = [(f"x{k}", f"m{k}") for k in range(len(inner))] + [(f"m{k}", name) for k, name in enumerate(inner)]
    joins += [(f"exit{k}", after) for k, (_, after) in enumerate(ends)] + [("0", name) for name in outputs]
    a, b = np.array([[place[one], place[other]] for one, other in joins]).T
    rng = np.random.default_rng(5)
    spread = 1.0 + sigma * rng.standard_normal((2, len(ends)))
    entries, exits = (
        np.array(part) for part in ([place[e] for e, _ in ends], [place[f"exit{k}"] for k in range(len(ends))])
    )
    amplifiers = Amplifiers(entries, exits, forward * spread[0], backward * spread[1], np.zeros(len(ends)))
    held, answers = np.arange(1 + len(inner)), np.array([place[name] for name in outputs])
    junctions = (
        Diodes(np.array([place["m0"]]), np.array([0]), np.array([1e-9]), np.array([0.05])) if diodes else Diodes()
    )
    conductors = Conductors(a, b, rng.uniform(5e-5, 2e-4, len(a)))
    circuit = CircuitGraph(tuple(names), held, answers, conductors, diodes=junctions, amplifiers=amplifiers)
    free = np.setdiff1d(circuit.free, answers)
    feeds = Feeds(np.zeros(len(held)), np.arange(-1, len(inner)), np.ones(len(held)))
    blocks = {"conductance/elements": LearnedBlock("conductance", np.arange(len(a)))}
    design = CircuitDesign(circuit, feeds, ("in", len(inner)), {"hidden": free, "out": answers}, blocks)
    chip = CircuitChip(design, {"conductance/elements": circuit.conductors.g})
    return chip, rng.uniform(-1.0, 1.0, (3, len(inner))), rng.uniform(-1.0, 1.0, (3, len(outputs)))


def split(chip, x, target):
    trial = CircuitTrial(x, target, SquaredDrops(), [Centred.model_construct(beta=1e-9)], True, {})
    return trial, measure_circuit(chip, trial, 1, lambda _: None)


def list_shares(found):
    """Return the sizes of all parts over the asymmetry, by ledger."""
    for book in [found.vectors[0], *found.blocks[0].values()]:
        whole = book.terms()["asymmetry"]
        assert np.abs(sum(book.parts[part] for part in PARTS) - whole).max() <= 1e-12 * np.abs(book.steps[0]).max()
        assert np.linalg.norm(whole) > 0.05 * np.linalg.norm(book.steps[0])
        yield {part: float(np.linalg.norm(book.parts[part]) / np.linalg.norm(whole)) for part in PARTS}


@pytest.mark.parametrize("shape", ["chain", "tree", "branches"])
@pytest.mark.parametrize("diodes", [False, True])
def test_factors_of_nodes_cure_any_gains_along_a_tree(shape, diodes):
    _, found = split(*make_amplified(shape, diodes=diodes))
    for share in list_shares(found):
        assert share["metric"] == 0.0
        assert share["per_node"] == pytest.approx(1.0, abs=1e-10)
        assert share["irreducible"] < 1e-10


def test_paths_side_by_side_need_equal_ratios_of_gains():
    _, found = split(*make_amplified("ring"))
    assert all(share["irreducible"] > 0.01 for share in list_shares(found))
    _, found = split(*make_amplified("ring", sigma=0.0))
    assert all(share["irreducible"] < 1e-10 for share in list_shares(found))


def test_no_factor_of_a_node_cures_transistors():
    for book in [*measure("mos").blocks[0].values(), *measure("mos").vectors]:
        assert np.linalg.norm(book.parts["metric"]) == 0.0
        assert np.linalg.norm(book.parts["per_node"]) == 0.0
        assert np.linalg.norm(book.parts["irreducible"]) > 1e-4 * np.linalg.norm(book.steps[0])


@pytest.mark.parametrize("shape", ["tree", "ring"])
def test_trims_of_amplifiers_are_measured_to_cure_all_of_it(shape):
    chip, x, target = make_amplified(shape)
    trial, found = split(chip, x, target)
    gain = measure_circuit_remedies(CircuitMeans(chip, trial, trial.schemes[0]), found, ("asymmetry",))[
        "trimmed-amplifiers"
    ]
    assert gain.keep.all()
    assert np.linalg.norm(gain.delta - gain.true) < 1e-3 * np.linalg.norm(gain.true)
    assert np.linalg.norm(gain.true - found.point.adjoint) > 0.01 * np.linalg.norm(gain.true)
    again = CircuitMeans(chip.variant(trimmed=True), trial, trial.schemes[0])
    assert "trimmed-amplifiers" not in measure_circuit_remedies(again, found, ("asymmetry",))


def test_factors_of_too_many_nodes_are_not_known_and_not_told(monkeypatch):
    """Neither as a part of 0 nor in a sentence that says nothing."""
    monkeypatch.setattr("substrate.circuits.exact.FULL", 2)
    result = nudgelab.load("circuits/amplifiers", {"devices.amplifiers.backward_sigma": "30 %"}).run()
    parts = result["ledger"]["part_relative"]
    assert np.isnan(parts.sel(part=["per_node", "irreducible"])).all()
    assert np.isfinite(parts.sel(part=["goal", "nudge_bias"])).all()
    assert not [line for line in result.remarks if line.startswith("Of the asymmetry")]


@pytest.mark.parametrize("dense", [256, 0], ids=["full", "sparse"])
def test_without_a_settled_sample_there_are_no_parts(monkeypatch, dense):
    monkeypatch.setattr("substrate.circuits.system.DENSE", dense)
    chip, x, target = make_amplified("chain", diodes=True)
    oracle = make_oracle(chip)
    found = oracle.weigh_nodes(oracle.find_point(x, target), np.zeros(len(x), dtype=bool))
    assert not found.vectors.any()
    assert all(np.isnan(block).all() for block in found.blocks.values())
