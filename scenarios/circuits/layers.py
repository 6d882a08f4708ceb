"""From the layers of a deep resistive network to a circuit on a graph, for whatever elements it has."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from substrate.circuits.circuit import (
    Amplifiers,
    CircuitGraph,
    Conductors,
    Diodes,
    IdealDiodes,
    Sources,
    compute_thermal_voltage,
)
from substrate.circuits.design import CircuitDesign, Feeds, LearnedBlock

from ..schema.circuit.network import ExponentialDiodes, LayeredNetwork

Whole = NDArray[np.int64]


def build_layers(network: LayeredNetwork) -> CircuitDesign:
    """Return the circuit of a deep resistive network; its blocks are those of its connections and layers.

    The first half of a layer with diodes (and the middle node) is held up by them, the other half down. Behind an
    amplified layer the squared drops of the conductors are weighed by ``m``, with ``m_l = m_l+1 A_l / B_l`` from the
    output back: that makes the linearised circuit symmetric (`substrate.circuits.exact`).

    Parameters
    ----------
    network : LayeredNetwork
        Layers, diodes, amplifiers.
    """
    first, *others = network.layers
    inputs, rails = network.layers[first], 2 if network.rails == "both" else 1
    names = ["0", *(f"{first}{sign}{k}" for sign in "+-"[:rails] for k in range(inputs))]
    layers: dict[str, Whole] = {}
    exits: dict[str, Whole] = {first: np.arange(1, len(names))}
    for name in others:
        layers[name] = _add_nodes(names, name, network.layers[name])
        exits[name] = layers[name]
        if name in network.amplifiers:
            exits[name] = _add_nodes(names, f"{name}-exit", network.layers[name])
    metrics = _find_metrics(network)
    conductors, blocks = _add_conductors(network, layers, exits, metrics)
    sources = Sources()
    if network.bias == "current":
        sources, more = _add_sources(layers, metrics)
        blocks |= more
    held, fixed, ideal, diodes = _add_diodes(network, names, layers, 1 + rails * inputs)
    amplifiers, outputs = _add_amplifiers(network, layers, exits), layers[others[-1]]
    circuit = CircuitGraph(tuple(names), held, outputs, conductors, sources, diodes, ideal, amplifiers=amplifiers)
    column, sign = np.full(len(held), -1), np.ones(len(held))
    column[1 : 1 + rails * inputs] = np.tile(np.arange(inputs), rails)
    sign[1 + inputs : 1 + rails * inputs] = -1.0
    feeds = Feeds(fixed, column, sign)
    return CircuitDesign(circuit, feeds, (first, inputs), layers, blocks, node_metrics=metrics)


def _add_conductors(
    network: LayeredNetwork, layers: dict[str, Whole], exits: dict[str, Whole], metrics: dict[str, float]
) -> tuple[Conductors, dict[str, LearnedBlock]]:
    """Return the conductors between all neighbouring layers, of 0 S, and their blocks."""
    blocks: dict[str, LearnedBlock] = {}
    ends: list[tuple[Whole, Whole]] = []
    for pre, post in pairwise(network.layers):
        shape: tuple[int, ...] = (network.layers[pre], network.layers[post])
        if not ends and network.rails == "both":
            shape = (2, *shape)
        numbers = sum(len(a) for a, _ in ends) + np.arange(math.prod(shape)).reshape(shape)
        ends.append((np.repeat(exits[pre], len(layers[post])), np.tile(layers[post], len(exits[pre]))))
        dims = ("rail",) * (len(shape) == 3) + (pre, post)
        blocks[f"conductance/{pre}-{post}"] = LearnedBlock("conductance", numbers, metrics[post], dims)
    a, b = (np.concatenate(side) for side in zip(*ends, strict=True))
    return Conductors(a, b, np.zeros(len(a))), blocks


def _add_sources(layers: dict[str, Whole], metrics: dict[str, float]) -> tuple[Sources, dict[str, LearnedBlock]]:
    """Return a current source from ground into every free node, of 0 A, and their blocks."""
    blocks: dict[str, LearnedBlock] = {}
    first = 0
    for name, nodes in layers.items():
        blocks[f"current/{name}"] = LearnedBlock("current", first + np.arange(len(nodes)), metrics[name], (name,))
        first += len(nodes)
    free = np.concatenate(list(layers.values()))
    return Sources(np.zeros_like(free), free, np.zeros(len(free))), blocks


def _add_nodes(names: list[str], prefix: str, count: int) -> Whole:
    names += [f"{prefix}_{k}" for k in range(count)]
    return np.arange(len(names) - count, len(names))


def _find_metrics(network: LayeredNetwork) -> dict[str, float]:
    """Return ``m`` of every layer but the input, 1 at the output."""
    names, m = list(network.layers), 1.0
    metrics = {names[-1]: m}
    for name in reversed(names[1:-1]):
        if name in network.amplifiers:
            m *= network.amplifiers[name].forward / network.amplifiers[name].backward
        metrics[name] = m
    return metrics


def _add_amplifiers(network: LayeredNetwork, layers: dict[str, Whole], exits: dict[str, Whole]) -> Amplifiers:
    parts = []
    for name, one in network.amplifiers.items():
        count = len(layers[name])
        parts.append(
            (layers[name], exits[name], np.full(count, one.forward), np.full(count, one.backward), np.zeros(count))
        )
    return Amplifiers(*(np.concatenate(column) for column in zip(*parts, strict=True))) if parts else Amplifiers()


def _add_diodes(
    network: LayeredNetwork, names: list[str], layers: dict[str, Whole], sources: int
) -> tuple[Whole, NDArray[np.float64], IdealDiodes, Diodes]:
    """Return the held nodes with those behind diodes, their fixed voltages, and the diodes."""
    held, fixed = list(range(sources)), [0.0] * sources
    ideal: list[tuple[int, int]] = []
    own: list[tuple[int, int, float, float]] = []
    for name, diode in network.diodes.items():
        half = -(-len(layers[name]) // 2)
        up, down = layers[name][:half].tolist(), layers[name][half:].tolist()
        if not isinstance(diode, ExponentialDiodes):
            ideal += [(0, node) for node in up] + [(node, 0) for node in down]
            continue
        rails = [len(names), len(names) + 1]
        names += [f"{name}-up", f"{name}-down"]
        held, fixed = held + rails, fixed + list(diode.bias)
        slope = diode.ideality * compute_thermal_voltage()
        pairs = [(rails[0], node) for node in up] + [(node, rails[1]) for node in down]
        own += [(a, b, diode.saturation, slope) for a, b in pairs]
    whole = Diodes(*(np.array(column) for column in zip(*own, strict=True))) if own else Diodes()
    plain = IdealDiodes(*(np.array(column) for column in zip(*ideal, strict=True))) if ideal else IdealDiodes()
    return np.array(held), np.array(fixed), plain, whole
