"""How a nudge acts on a chip: through its circuit, held or continuous, and with a correction.

The correction makes EP exact on asymmetric couplings: an extra drive in nudged settlings. With
``A_hat = (W_hat - W_hat^T) / 2`` of the couplings `W_hat` that the controller knows, and the free activities `a0`, the
drive gets ``-2 A_hat (a - a0)`` (AsymEP: Scurria, Vanden Abeele, Mognetti, Massar, arXiv 2602.03670, 2026). Of dense
couplings that is an ordinary settling with the couplings ``W - 2 A_hat`` and the constant drive ``+ 2 A_hat a0``: with
exact knowledge the couplings are ``W^T``, the free rest point stays where it is, and the response to the nudge is that
of the adjoint. Of kernels the engine adds the drive, with `W_hat` around `a0`: under softmax pooling the couplings
move with the nudge, so the response is that of the adjoint to first order in the nudge.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from devices.interface.converter import SHAPED, convert_nudge
from devices.neuron import curves
from devices.random import Stream

from ..dynamics.machine import Correction, Drive, Machine
from ..dynamics.methods import count_cycle_steps
from ..engine.door import load_engine
from ..network.couplings import make_couplings
from ..network.dense import are_dense
from ..network.topology import Topology
from ..protocol import Nudge, State, Wave
from .boards.regimes import shakes_membranes
from .design import Design, Fabrication
from .weights import make_edges

Array = NDArray[np.float64]


def make_free_drive(
    design: Design,
    fabrication: Fabrication,
    constant: Array,
    ids: NDArray[np.int64] | None,
    names: str,
    nudge: Nudge | None,
) -> Drive:
    """Return what is applied to a batch before any nudge, with the names of its noise.

    Parameters
    ----------
    design, fabrication : Design, Fabrication
        The chip.
    constant : array (batch, units)
        Drive of the clamped input plus bias.
    ids : array (batch,) or None
        Names of the samples.
    names : str
        Which presentation of the batch this is.
    nudge : Nudge or None
        Every nudge has white noise of its own, unless all phases share theirs.

    Raises
    ------
    ValueError
        If the noise does not fit the dynamics.
    """
    if shakes_membranes(design) and design.dynamics.noise_fault():
        raise ValueError(f"dynamics: {design.dynamics.noise_fault()}")
    if design.devices.noise.slow_reads and design.dynamics.slow_read_fault():
        raise ValueError(f"read_flicker, telegraph: {design.dynamics.slow_read_fault()}")
    beta = 0.0 + 0.0j if nudge is None else complex(nudge.beta)
    wave = "" if nudge is None or nudge.wave is None else nudge.wave.kind
    phase = "" if design.phases.noise == "common" else f"{beta.real:.17g} {beta.imag:.17g}{wave}"
    whole = (fabrication.seed, fabrication.instance, f"{names}/{phase}")
    return Drive(constant, 0.0, np.zeros((len(constant), 0)), ids, whole)


def add_nudge(drive: Drive, nudge: Nudge, design: Design, machine: Machine, free: Array) -> Drive:
    """Return the drive of a free settling with a nudge on top.

    A held nudge is a constant drive, with the force at the free state.

    Parameters
    ----------
    drive : Drive
        What is applied without a nudge.
    nudge : Nudge
        As asked for; the circuit applies what it can.
    design : Design
        Nudge circuit, and whether the nudge is held.
    machine : Machine
        The chip.
    free : array (batch, units)
        Free activities as they were read, for a nudge that is held.

    Raises
    ------
    ValueError
        If a complex nudge meets an activation without complex values, a nudge that swings meets dynamics that
        cannot follow it, or a circuit of limited drive meets a nudge that is not held or not real.
    """
    circuit, constant, first = design.devices.converters.nudge, drive.constant, machine.circuit.first_output
    nudges = (
        np.array([complex(nudge.beta)]) if nudge.wave is None else sample_nudge_cycle(nudge.beta, nudge.wave, design)
    )
    if nudges.imag.any() and not curves.is_holomorphic(design.activation):
        raise ValueError("network.activation has no complex values: use a scheme with real nudges, such as centred")
    if circuit.shapes and (nudges.imag.any() or design.phases.nudge == "continuous"):
        raise ValueError(f"devices.converters.nudge: {SHAPED}")
    if circuit.offset:
        constant = constant.copy()
        constant[:, first:] += circuit.offset
    if nudge.wave is not None:
        cycle = np.array([circuit.applied(b) for b in nudges])
        return drive._replace(constant=constant, beta=cycle, target=nudge.target, cycles=nudge.wave.cycles)
    beta, signs = circuit.applied(nudges[0]), None
    if nudge.signs is not None:
        # The gain may differ between the polarities.
        opposite = circuit.applied(-nudges[0]).real / beta.real if beta.real else -1.0
        signs = np.where(nudge.signs > 0.0, 1.0, opposite)
    if design.phases.nudge == "continuous":
        return drive._replace(constant=constant, beta=beta, target=nudge.target, signs=signs)
    held: State = constant.astype(np.complex128 if beta.imag != 0.0 else np.float64)
    force = load_engine(machine.dynamics).force(machine, free, nudge.target) * (
        1.0 if signs is None else signs[:, None]
    )
    drift: State = -(beta if beta.imag != 0.0 else beta.real) * force
    if circuit.shapes:
        levels = (design.measured_converters or {}).get("nudge") if circuit.bits is not None else None
        drift = convert_nudge(circuit, drift, Stream(drive.names[0], "nudge/gain", drive.names[1]), levels)
    held[:, first:] += drift
    return drive._replace(constant=held, target=nudge.target)


def sample_nudge_cycle(beta: complex, wave: Wave, design: Design) -> NDArray[np.complex128]:
    """Return a swinging nudge at the middle of every step of its cycle, (steps,).

    Raises
    ------
    ValueError
        If the dynamics have no steps of their own that the nudge could follow, or the nudge is held.
    """
    dynamics = design.dynamics
    if dynamics.mode != "trajectory" or dynamics.method not in ("euler", "exponential"):
        raise ValueError('a nudge that swings needs dynamics.mode = "trajectory" and method euler or exponential')
    if design.phases.nudge == "held":
        raise ValueError('a nudge that swings cannot be held: set phases.nudge = "continuous"')
    steps = max(4, count_cycle_steps(wave.period, dynamics.dt))
    angle = 2.0 * np.pi * (np.arange(steps) + 0.5) / steps
    return beta * (np.exp(1j * angle) if wave.kind == "rotation" else np.cos(angle) + 0j)


def compute_adjoint_force(design: Design, machine: Machine, free: Array, target: Array) -> Array:
    """Return what the nudge circuit applies to an adjoint state as the force, (batch, units): a nudge of 1."""
    force, first, circuit = np.zeros_like(free), machine.circuit.first_output, design.devices.converters.nudge
    force[:, first:] = (
        circuit.applied(1.0).real * load_engine(machine.dynamics).force(machine, free, target) - circuit.offset
    )
    return force


def make_bidirectional_topology(topology: Topology) -> Topology:
    """Return the unclamped layers with a dense reverse connection beside every recurrent one, behind one input."""
    wires = [c.name for c in topology.connections]
    wires += [f"{c.post}-{c.pre}" for c in topology.recurrent() if f"{c.post}-{c.pre}" not in wires]
    return Topology({**topology.layers, topology.input: 1}, wires)


def apply_correction(
    machine: Machine,
    drive: Drive,
    design: Design,
    programmed: Mapping[str, Array],
    effective: Mapping[str, Array],
    free: Array,
) -> tuple[Machine, Drive]:
    """Return the machine and the drive of a corrected settling; without a correction, as given.

    Parameters
    ----------
    machine, drive : Machine, Drive
        Of the settling without a correction; the cells of the machine are those that act.
    design : Design
        The chip, and which of its couplings the controller knows.
    programmed, effective : mapping of block name to array
        The couplings.
    free : array (batch, units)
        The free activities `a0`.
    """
    if design.correction == "none":
        return machine, drive
    topology, known = design.topology, programmed if design.correction == "programmed" else effective
    if not are_dense(machine.kinds):
        return machine, drive._replace(correction=Correction(topology.join(known), free))
    acting = make_couplings(topology, topology.blocks(machine.weights))
    correction = make_couplings(topology, known).antisymmetric()
    wiring, total = make_bidirectional_topology(topology), acting.plus(correction.times(-2.0))
    cells = np.zeros(wiring.size)
    blocks = wiring.blocks(cells)
    for c in wiring.recurrent():
        blocks[c.block][...] = total.weights[c.ends]
    constant: State = drive.constant + 2.0 * correction.product(free)
    kinds = tuple(c.kind for c in wiring.recurrent())
    return machine._replace(edges=make_edges(wiring), kinds=kinds, weights=cells), drive._replace(constant=constant)
