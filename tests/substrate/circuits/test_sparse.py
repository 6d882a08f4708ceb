"""Circuits of thousands of nodes: the answers of full matrices, and of what needs no matrix at all."""

import numpy as np
import pytest

import substrate.circuits.system
from substrate.circuits.chip import CircuitChip
from substrate.circuits.circuit import Capacitors, Conductors, IdealDiodes
from substrate.circuits.contrast import contrast_drops, differentiate_parameters
from substrate.circuits.exact import GraphOracle
from substrate.circuits.linear import linearise_circuit
from substrate.circuits.motion.transient import follow_transient
from substrate.circuits.rest import METHODS, find_circuit_rest
from substrate.circuits.system import CircuitDrive, apply_nothing, assemble_system, compute_net_currents
from substrate.protocol import Nudge, Status

from .circuits import KINDS as SMALL
from .circuits import draw_batch, make_chip
from .lattices import KINDS, draw_lattice, inject, make_lattice, solve_by_waves
from .references import load_reference

SIDE = 100
"""Rows and columns of the large lattices: 10,000 nodes."""


@pytest.fixture
def sparse(monkeypatch):
    """Return a function that lets a computation run with sparse matrices, whatever its size."""

    def run(compute):
        with monkeypatch.context() as patch:
            patch.setattr(substrate.circuits.system, "DENSE", 0)
            return compute()

    return run


def differ(one, other):
    """Return the largest difference, relative to the largest entry."""
    return float(np.abs(one - other).max() / max(np.abs(other).max(), 1e-300))


def settle(circuit, **parts):
    """Return equations and rest point of a circuit whose only held node is at 0 V."""
    system = assemble_system(circuit)
    rest = find_circuit_rest(system, apply_nothing(np.zeros((1, 1)), len(circuit.outputs))._replace(**parts))
    assert rest.status.tolist() == [Status.SETTLED]
    assert rest.residual.max() < 1e-12
    return system, rest


@pytest.mark.parametrize("kind", SMALL)
@pytest.mark.parametrize("nudge", ["continuous", "held", "clamped"])
def test_sparse_and_full_matrices_settle_and_learn_alike(kind, nudge, sparse):
    x, target = draw_batch(kind)

    def measure():
        chip: CircuitChip = make_chip(kind, nudge="held" if nudge == "held" else "continuous")
        chip.set_input(x)
        ends = [chip.settle()]
        free = chip.read()
        ends.append(chip.clamp(0.5, target) if nudge == "clamped" else chip.settle(Nudge(2e-6, target), "free"))
        moved = chip.contrast(chip.read(), free, np.ones(len(x), dtype=bool))
        point = GraphOracle(chip).find_point(x, target)
        exact = [point.voltages, point.adjoint, point.response, point.clamped_response, point.critical]
        return [end.status for end in ends], [free["hidden"], free["out"], *exact, *moved.values()]

    full, few = measure(), sparse(measure)
    assert np.array_equal(full[0], few[0])
    for one, other in zip(few[1], full[1], strict=True):
        assert differ(one, other) < 1e-12


@pytest.mark.parametrize("name", ["5-amplifiers-uniform", "6-amplifiers-spread-diodes", "2-layered-ideal-diodes"])
def test_amplifiers_and_ideal_diodes_are_the_same_in_sparse_matrices(name, sparse):
    reference = load_reference(name)
    quiet = apply_nothing(reference.held, len(reference.circuit.outputs))

    def solve():
        system = assemble_system(reference.circuit)
        rest = find_circuit_rest(system, quiet)
        linear = linearise_circuit(system, rest)
        error = np.ones((len(reference.held), len(reference.circuit.outputs)))
        return rest.voltages, linear.solve_adjoint(error), linear.respond(error), linear.find_critical_nudge()

    for one, other in zip(sparse(solve), solve(), strict=True):
        assert differ(one, other) < 1e-12


def test_every_fallback_works_with_sparse_matrices():
    circuit, voltages = draw_lattice("exponential", 17, 17)
    system, quiet = assemble_system(circuit), apply_nothing(np.zeros((1, 1)), 1)
    assert system.is_large
    with pytest.MonkeyPatch.context() as patch:
        for name in list(METHODS)[:-1]:
            patch.delitem(METHODS, name)
            rest = find_circuit_rest(system, quiet)
            assert rest.status.tolist() == [Status.SETTLED]
            assert rest.voltages[0] == pytest.approx(voltages, abs=1e-9)


def test_a_large_circuit_that_floats_is_told():
    lattice = make_lattice(20, 20)
    own = lattice.conductors
    kept = (own.a != 399) & (own.b != 399)
    cut = lattice._replace(conductors=Conductors(own.a[kept], own.b[kept], own.g[kept]), outputs=np.array([7]))
    system = assemble_system(cut)
    rest = find_circuit_rest(system, apply_nothing(np.zeros((1, 1)), 1))
    assert rest.status.tolist() == [Status.DIVERGED]
    assert np.isnan(linearise_circuit(system, rest).find_critical_nudge()).all()


@pytest.mark.parametrize("kind", KINDS)
def test_ten_thousand_nodes_rest_where_their_sources_were_made_for(kind):
    circuit, voltages = draw_lattice(kind, SIDE, SIDE)
    _, rest = settle(circuit)
    assert rest.voltages[0] == pytest.approx(voltages, abs=1e-11)


def test_two_neighbours_of_a_torus_measure_half_a_resistor():
    """Foster's theorem: n nodes and 2n equal resistors, all edges alike, make (n - 1)/2n of one between neighbours."""
    count, current = SIDE * SIDE, np.zeros(SIDE * SIDE)
    current[1] = 1.0
    _, rest = settle(inject(make_lattice(SIDE, SIDE, periodic=True), current))
    assert rest.voltages[0, 1] == pytest.approx((count - 1) / (2 * count), rel=1e-11)


def test_an_open_lattice_is_a_sum_of_waves_and_so_is_its_error_vector():
    g, rng = 2e-5, np.random.default_rng(0)
    current = rng.normal(0.0, 1e-6, (SIDE, SIDE))
    current[0, 0] -= current.sum()
    system, rest = settle(inject(make_lattice(SIDE, SIDE, g), current.ravel()))
    expected = solve_by_waves(current, g)
    assert rest.voltages[0].reshape(SIDE, SIDE) == pytest.approx(expected - expected[0, 0], abs=1e-11)
    out = np.zeros((SIDE, SIDE))
    out[0, 0], out[-1, -1] = -1.0, 1.0
    adjoint = linearise_circuit(system, rest).solve_adjoint(np.ones((1, 1)))
    waves = solve_by_waves(out, g)
    assert adjoint[0] == pytest.approx((waves - waves[0, 0]).ravel()[1:], rel=1e-10)


@pytest.mark.parametrize("kind", ["exponential", "mos"])
def test_gradients_of_ten_thousand_nodes_are_those_of_differences(kind):
    circuit, _ = draw_lattice(kind, SIDE, SIDE)
    output = circuit.outputs[0]
    system, rest = settle(circuit)
    gradients = differentiate_parameters(
        system, rest.voltages, linearise_circuit(system, rest).solve_adjoint(np.ones((1, 1)))
    )
    field, key, name = {"exponential": ("conductors", "g", "conductance"), "mos": ("transistors", "gate", "gate")}[kind]
    part = getattr(circuit, field)
    values = getattr(part, key)
    ends = []
    for sign in (1.0, -1.0):
        moved = values.copy()
        moved[-1] *= 1.0 + sign * 1e-4  # next to the output
        ends.append(settle(circuit._replace(**{field: part._replace(**{key: moved})}))[1].voltages[0, output])
    assert gradients[name][0, -1] == pytest.approx((ends[0] - ends[1]) / (2e-4 * values[-1]), rel=1e-6)


def test_a_held_nudge_of_ten_thousand_nodes_measures_the_gradient():
    """On conductors it has no error of its size: see `docs/method/circuits.md`."""
    circuit, voltages = draw_lattice("linear", SIDE, SIDE)
    system, free = settle(circuit)
    error = np.full((1, 1), 0.3)
    after, before = (settle(circuit, current=beta * error)[1].voltages for beta in (2e-6, -2e-6))
    measured = contrast_drops(circuit, after, before)["conductance"][0] / (2.0 * 2.0 * 2e-6)
    exact = differentiate_parameters(system, free.voltages, linearise_circuit(system, free).solve_adjoint(error))
    assert differ(measured, exact["conductance"][0]) < 1e-8
    assert free.voltages[0] == pytest.approx(voltages, abs=1e-11)


def test_ideal_diodes_hold_half_of_ten_thousand_nodes():
    """Either a node is where its diode lets it be without a current, or the current flows the right way."""
    current = np.random.default_rng(0).normal(0.0, 1e-6, SIDE * SIDE)
    circuit = inject(make_lattice(SIDE, SIDE, 1e-5), current)
    nodes, own = np.arange(1, SIDE * SIDE - 1), circuit.conductors
    ground = np.zeros_like(nodes)
    loaded = Conductors(np.r_[own.a, nodes], np.r_[own.b, ground], np.r_[own.g, np.full(len(nodes), 1e-5)])
    circuit = circuit._replace(conductors=loaded, ideal=IdealDiodes(ground, nodes))  # no node goes below 0 V
    system, rest = settle(circuit)
    net, through = compute_net_currents(system, apply_nothing(np.zeros((1, 1)), 1), rest.voltages)
    held = rest.clamped[0]
    assert 0.1 < held.mean() < 0.9
    assert (rest.unknowns[0, :-1] >= 0.0).all()
    assert (net[0, held] > -1e-12 * through).all()  # what leaves a held node comes through its diode
    assert np.abs(net[0, ~held]).max() < 1e-12 * through[0]


def test_a_wave_dies_away_as_its_length_says():
    """Conductors g along the edges, g0 and C to ground at every node: each cosine has one time constant."""
    side, g, leak, c = 40, 1e-5, 1e-7, 1e-12
    lattice, nodes = make_lattice(side, side, g), np.arange(1, side * side + 1)
    ground, own = np.zeros_like(nodes), lattice.conductors
    more = Conductors(np.r_[own.a + 1, nodes], np.r_[own.b + 1, ground], np.r_[own.g, np.full(len(nodes), leak)])
    circuit = lattice._replace(
        nodes=("0", *lattice.nodes),
        outputs=np.array([side * side]),
        conductors=more,
        capacitors=Capacitors(nodes, ground, np.full(len(nodes), c)),
    )
    system = assemble_system(circuit)
    assert system.is_large
    cosine = np.cos(np.pi * 3 * (np.arange(side) + 0.5) / side)
    wave = np.outer(cosine, np.ones(side)).ravel()
    rate = (4.0 * g * np.sin(np.pi * 3 / (2 * side)) ** 2 + leak) / c
    times = np.linspace(0.0, 2.0, 5) / rate
    path = follow_transient(system, apply_nothing(np.zeros((1, 1)), 1), wave[None], times)
    expected = np.exp(-rate * times)[:, None] * wave
    assert path.voltages[0][:, 1:] == pytest.approx(expected, abs=1e-7)


def test_paths_are_the_same_in_sparse_matrices(sparse):
    reference = load_reference("4-mos-lattice-3x3")
    circuit = reference.circuit
    ground = np.zeros_like(circuit.free)
    circuit = circuit._replace(capacitors=Capacitors(circuit.free, ground, np.full(len(ground), 1e-9)))
    drive = CircuitDrive(reference.held[:1], np.array([1e-6]), reference.target[:1])

    def follow():
        start = np.zeros((1, len(circuit.free)))
        return follow_transient(assemble_system(circuit), drive, start, np.linspace(0.0, 5e-6, 6), 2e-6).voltages

    assert differ(sparse(follow), follow()) < 1e-9
