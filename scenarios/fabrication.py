"""What is wrong with the chips of a scenario as they are drawn, seen before any is made."""

from __future__ import annotations

from collections.abc import Iterator

from devices.neuron.membrane import sample_unit_factors
from devices.programming.bounds import SampledCells
from devices.random import Stream
from devices.synapse.wires import LARGEST
from substrate.chip.design import Design, Fabrication

Fault = tuple[tuple[str, ...], str, str]
"""Place, what is wrong and what to try."""

_SPREADS = {
    ("neurons", "tau_sigma"): "neurons/tau",
    ("neurons", "gain_sigma"): "neurons/gain",
    ("neurons", "slope_sigma"): "neurons/slope",
    ("twin", "gain_sigma"): "twin/gain",
}
"""Keys of spreads of factors that must be above 0, and the names of their draws."""


def find_fabrication_faults(design: Design, first: Fabrication, chips: int) -> Iterator[Fault]:
    """Yield what does not allow to make some chips.

    Parameters
    ----------
    design : Design
        What they have in common.
    first : Fabrication
        The first of them; the others follow by instance.
    chips : int
        How many there are.
    """
    instances = range(first.instance, first.instance + chips)
    yield from _find_factor_faults(design, first.seed, instances)
    yield from _find_array_faults(design)
    yield from _find_bound_faults(design, first)


def _find_factor_faults(design: Design, seed: int, instances: range) -> Iterator[Fault]:
    units = design.topology.units
    for (block, key), name in _SPREADS.items():
        sigma = getattr(getattr(design.devices, block), key, 0.0)
        for instance in instances if sigma else ():
            try:
                sample_unit_factors(units, sigma, Stream(seed, name, instance), key)
            except ValueError:
                words = f"makes a factor of chip {instance} fall to 0 or below"
                yield ("devices", block, key), words, "lower the spread, or take another chip.instance"
                break


def _find_array_faults(design: Design) -> Iterator[Fault]:
    wires, topology = design.devices.wires, design.topology
    if wires.segment == 0.0:
        return
    for c in topology.connections:
        # The rows of a feedback array are the lines of the post units, see `Wires`.
        shape = topology.shapes[c.block][:: -1 if topology.is_feedback(c) else 1]
        rows, columns = (min(pair) for pair in zip(shape, wires.array or shape, strict=True))
        if rows * columns > LARGEST:
            words = f"an array of {rows} x {columns} cells ({c.name}) is too large to solve, at most {LARGEST} cells"
            yield ("devices", "wires", "segment"), words, "give devices.wires.array = [128, 128], or smaller layers"


def _find_bound_faults(design: Design, fabrication: Fabrication) -> Iterator[Fault]:
    """Yield whether measured bounds of cells cross those that are drawn."""
    if not design.measured_cells:
        return
    shapes = {k: v for k, v in design.topology.shapes.items() if not k.startswith("readout/")}
    try:
        SampledCells(
            design.devices.update,
            shapes,
            lambda purpose: Stream(fabrication.seed, purpose, fabrication.instance),
            design.measured_cells,
        )
    except ValueError:
        words = "has cells whose measured bound lies beyond the drawn other one"
        yield ("devices", "update", "measured"), words, "give `low` and `high`, or other w_max, w_min and spreads"
