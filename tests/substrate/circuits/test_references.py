"""Node voltages and gradients of circuits against two independent solvers."""

import numpy as np
import pytest

from substrate.circuits.contrast import differentiate_parameters, square_drops
from substrate.circuits.linear import linearise_circuit
from substrate.circuits.rest import find_circuit_rest
from substrate.circuits.system import CircuitDrive, apply_nothing, assemble_system

from .references import NAMES, load_reference


def settle(reference, beta=0.0, clamped=None):
    system = assemble_system(reference.circuit)
    drive = CircuitDrive(reference.held, np.full(3, beta), reference.target, None, clamped)
    return system, find_circuit_rest(system, drive)


def relative(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.mark.parametrize("name", NAMES)
def test_node_voltages_are_those_of_both_solvers(name):
    reference = load_reference(name)
    limit = reference.told["tolerance"]["voltage_abs"]
    for phase, sign in (("free", 0.0), ("plus", 1.0), ("minus", -1.0)):
        _, rest = settle(reference, sign * reference.beta)
        own = rest.voltages[:, reference.told_nodes]
        assert (rest.status == 0).all()
        assert rest.residual.max() < 1e-12
        assert np.abs(own - reference.read("newton", phase)).max() < 1e-13
        assert np.abs(own - reference.read("ngspice", phase)).max() < limit


@pytest.mark.parametrize("name", NAMES)
def test_gradients_are_those_of_both_solvers(name):
    reference = load_reference(name)
    system, rest = settle(reference)
    linear = linearise_circuit(system, rest)
    error = rest.voltages[:, reference.circuit.outputs] - reference.target
    parts = differentiate_parameters(system, rest.voltages, linear.solve_adjoint(error))
    own = np.concatenate([parts["conductance"], parts["gate"]], axis=1)
    for key in ("gradient_exact", "gradient_fd_newton", "gradient_fd_ngspice"):
        assert relative(own, reference.gather(key)) < 1e-6
    assert relative(linear.solve_adjoint(error), reference.gather("error_vector_exact")) < 1e-12
    assert relative(linear.respond(error), reference.gather("error_vector_ep")) < 1e-6


@pytest.mark.parametrize("name", NAMES)
def test_equilibrium_propagation_is_that_of_both_solvers(name):
    reference = load_reference(name)

    def squares(beta=0.0, clamped=None):
        parts = square_drops(reference.circuit, settle(reference, beta, clamped)[1].voltages)
        return np.concatenate([parts["conductance"], parts["gate"]], axis=1)

    free, plus, minus = (squares(sign * reference.beta) for sign in (0.0, 1.0, -1.0))
    assert relative((plus - minus) / (4.0 * reference.beta), reference.gather("ep_centred")) < 1e-8
    assert relative((plus - minus) / (4.0 * reference.beta), reference.gather("ep_centred_ngspice")) < 1e-6
    assert relative((plus - free) / (2.0 * reference.beta), reference.gather("ep_one_sided")) < 1e-8
    told = [sample["clamped"] for sample in reference.told["samples"]]
    answer = settle(reference)[1].voltages[:, reference.circuit.outputs]
    eta = told[0]["eta"]
    rule = (squares(0.0, answer + eta * (reference.target - answer)) - free) / (2.0 * eta)
    assert relative(rule, np.array([one["rule"] for one in told])) < 1e-9


def test_a_free_settling_is_a_nudge_of_nothing():
    reference = load_reference(NAMES[0])
    system = assemble_system(reference.circuit)
    rest = find_circuit_rest(system, apply_nothing(reference.held, len(reference.circuit.outputs)))
    assert np.array_equal(rest.unknowns, settle(reference)[1].unknowns)
