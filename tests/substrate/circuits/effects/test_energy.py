"""What settlings turn into heat: along paths, and by the law of rest and charging."""

import numpy as np
import pytest

from devices.circuit.energy import CircuitEnergy
from substrate.circuits.circuit import Capacitors, compute_currents
from substrate.circuits.motion.transient import follow_transient
from substrate.circuits.rest import find_circuit_rest
from substrate.circuits.system import apply_nothing, assemble_system
from substrate.protocol import Nudge
from tests.substrate.circuits.circuits import draw_batch, make_chip, make_design
from tests.substrate.circuits.layered.circuits import make_chip as make_layers

C = 1e-12
TIME = 3e-6
"""Some hundred time constants."""


def add_capacitors(circuit):
    free = circuit.free
    c = C * (1.0 + np.arange(len(free)))
    return circuit._replace(capacitors=Capacitors(free, np.zeros_like(free), c))


def make_case(kind):
    design = make_design(kind)
    circuit = add_capacitors(design.circuit)
    return assemble_system(circuit), design.feeds.apply(draw_batch(kind)[0][:2])


def store(circuit, voltages):
    parts = circuit.capacitors
    return 0.5 * (voltages[..., parts.a] - voltages[..., parts.b]) ** 2 @ parts.c


def test_the_heat_of_a_linear_path_is_that_of_rest_and_of_what_has_decayed():
    system, held = make_case("linear")
    drive, times = apply_nothing(held, 2), np.array([0.0, 1e-8, 5e-8, 1e-7, TIME])
    rest = find_circuit_rest(system, drive)
    path = follow_transient(system, drive, np.zeros((2, system.nodes.unknowns)), times)
    power = np.array([(c * (v[:, g.a] - v[:, g.b])).sum(axis=1) for c, v, g in rest_parts(system, rest.voltages)])[0]
    left = store(system.circuit, path.voltages - rest.voltages[:, None])
    expected = power[:, None] * times + left[:, :1] - left
    np.testing.assert_allclose(path.heat, expected, rtol=1e-6, atol=0)


def rest_parts(system, voltages):
    return [(compute_currents(system.circuit, voltages).conductors, voltages, system.circuit.conductors)]


@pytest.mark.parametrize("kind", ["exponential", "mos"])
def test_what_turns_into_heat_is_what_sources_give_less_what_capacitors_keep(kind):
    system, held = make_case(kind)
    circuit = system.circuit
    nodes, weights = np.polynomial.legendre.leggauss(8)
    edges = np.concatenate([[0.0], np.geomspace(1e-10, 1e-6, 60)])
    half = 0.5 * np.diff(edges)
    inside = (half[:, None] * (1.0 + nodes) + edges[:-1, None]).ravel()
    times = np.union1d(inside, edges)
    path = follow_transient(system, apply_nothing(held, 2), np.zeros((2, system.nodes.unknowns)), times)
    for voltages, heat in zip(path.voltages, path.heat, strict=True):
        v = voltages[np.searchsorted(times, inside)]
        currents = compute_currents(circuit, v)
        net = np.concatenate(currents, axis=1) @ system.incidence
        fed = circuit.sources
        power = (net * v)[:, circuit.held].sum(axis=1) - (currents.sources * (v[:, fed.a] - v[:, fed.b])).sum(axis=1)
        given = (half[:, None] * weights * power.reshape(-1, 8)).sum()
        kept = store(circuit, voltages[-1]) - store(circuit, voltages[0])
        assert heat[-1] == pytest.approx(given - kept, rel=1e-6)
        assert kept > 1e-3 * given


def test_a_settling_takes_the_heat_of_its_path():
    energy = CircuitEnergy(settling_time=f"{TIME} s", static="1 uW")
    chip = make_chip("linear", energy=energy)
    chip = chip.variant(circuit=add_capacitors(chip.design.circuit))
    x = draw_batch("linear")[0]
    chip.set_input(x)
    chip.settle()
    system = chip.system()
    drive = apply_nothing(chip.design.feeds.apply(x), 2)
    path = follow_transient(system, drive, np.zeros((4, system.nodes.unknowns)), np.array([0.0, TIME]))
    found = chip.heats["free"].compute_joules(energy)
    np.testing.assert_allclose(found, path.heat[:, -1] + 1e-6 * TIME, rtol=1e-6, atol=0)
    assert (chip.heats["free"].charging > 1e-4 * found).all()
    assert chip.budget.energy == pytest.approx(found.sum(), rel=1e-12)


@pytest.mark.parametrize("make", [make_chip, make_layers])
def test_reads_and_writes_are_counted_and_phases_kept_apart(make):
    energy = CircuitEnergy(per_read="2 pJ", per_write="3 pJ", settling_time="1 us")
    chip = make("linear", energy=energy) if make is make_chip else make(energy=energy, capacitance=C)
    sizes = list(chip.layers.values())
    rng = np.random.default_rng(0)
    x, target = rng.uniform(-2.0, 2.0, (5, sizes[0])), rng.uniform(0.0, 1.0, (5, sizes[-1]))
    chip.set_input(x)
    chip.settle()
    first = chip.power
    chip.settle(Nudge(1e-5, target), start="free")
    heats = chip.heats
    assert list(heats) == ["free", f"{1e-5:.17g}"]
    np.testing.assert_array_equal(heats["free"].power, first)
    assert (chip.power != first).any()
    settled = chip.budget.energy
    assert settled == pytest.approx(sum(heat.compute_joules(energy).sum() for heat in heats.values()), rel=1e-12)
    chip.read()
    assert chip.budget.energy - settled == pytest.approx(2e-12 * 5 * sum(sizes[1:]), rel=1e-9)
    before = chip.budget.energy
    name = next(iter(chip.programmed))
    chip.write({name: np.full(chip.programmed[name].shape, 1e-9)})
    assert chip.budget.energy - before == pytest.approx(3e-12 * chip.programmed[name].size, rel=1e-9)


def test_layers_charge_from_where_they_begin():
    chip = make_layers(capacitance=C)
    rng = np.random.default_rng(0)
    chip.set_input(rng.uniform(-2.0, 2.0, (5, 4)))
    chip.settle()
    free = np.concatenate(list(chip.state.values()), axis=1)
    chip.settle(Nudge(1e-5, rng.uniform(0.0, 1.0, (5, 3))), start="free")
    nudged = np.concatenate(list(chip.state.values()), axis=1)
    first, second = (heat.charging for heat in chip.heats.values())
    np.testing.assert_allclose(first, 0.5 * C * (free**2).sum(axis=1), rtol=1e-12, atol=0)
    np.testing.assert_allclose(second, 0.5 * C * ((nudged - free) ** 2).sum(axis=1), rtol=1e-12, atol=0)


def test_without_a_time_settlings_take_nothing():
    chip = make_chip("linear", energy=CircuitEnergy(per_read="1 pJ"))
    chip.set_input(draw_batch("linear")[0])
    chip.settle()
    assert chip.budget.energy == 0.0
    assert (chip.heats["free"].compute_joules(chip.design.energy) == 0.0).all()
