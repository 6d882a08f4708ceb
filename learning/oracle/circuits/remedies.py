"""Oracle side: what would help against a cause of error on a circuit, each change measured alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from substrate.circuits.chip import CircuitChip
from substrate.circuits.design import PhaseClock
from substrate.circuits.exact import Blocks
from substrate.circuits.forms import AnyCircuitChip, make_oracle
from substrate.circuits.layered.chip import LayeredChip
from substrate.protocol import has_settled

from ...circuits.coupled import Coupled
from ...circuits.rule import CircuitReading, combine_contrasts
from ...circuits.squared import SquaredDrops
from ...schemes.nodes import Backward, Centred, OneSided
from ...schemes.scheme import Scheme
from .ledger import CircuitMeasurement, CircuitTrial, find_unit, find_vector

Array = NDArray[np.float64]


class CircuitMeans(NamedTuple):
    """What a gradient is measured with: the circuit, and how."""

    chip: AnyCircuitChip
    trial: CircuitTrial
    scheme: Scheme | None


class CircuitRemedy(NamedTuple):
    """One change."""

    terms: tuple[str, ...]
    """Terms of the ledger that it acts on."""

    keys: str
    """Keys of a scenario that it changes."""

    change: Callable[[CircuitMeans], CircuitMeans | None]
    """Makes it; None where it is so already, or cannot be."""


class CircuitGain(NamedTuple):
    """What was measured after a change."""

    keys: str
    delta: Array
    """Error vectors (batch, nodes), weighed as the scenario says."""

    true: Array
    """Exact error vectors of the circuit with the change, (batch, nodes)."""

    keep: NDArray[np.bool_]
    """Samples that settled."""

    blocks: Blocks
    """Batch gradients by block, over the samples that counted before; weighed like the vectors."""

    exact: Blocks
    """Exact gradients by block, of the circuit with the change."""


def _hold_nudge(now: CircuitMeans) -> CircuitMeans | None:
    if now.scheme is None or now.chip.design.nudge == "held":
        return None
    return now._replace(chip=now.chip.variant(nudge="held"))


def _scale_nudge(factor: float) -> Callable[[CircuitMeans], CircuitMeans | None]:
    def change(now: CircuitMeans) -> CircuitMeans | None:
        if now.scheme is None:
            return None
        return now._replace(scheme=now.scheme.model_copy(update={"beta": factor * now.scheme.beta}))

    return change


def _centre_nudge(now: CircuitMeans) -> CircuitMeans | None:
    if not isinstance(now.scheme, OneSided | Backward):
        return None
    return now._replace(scheme=Centred.model_construct(beta=now.scheme.beta))


def _scale_clamp(factor: float) -> Callable[[CircuitMeans], CircuitMeans | None]:
    def change(now: CircuitMeans) -> CircuitMeans | None:
        if not isinstance(now.trial.rule, Coupled):
            return None
        return now._replace(trial=now.trial._replace(rule=Coupled(clamp=factor * now.trial.rule.clamp)))

    return change


def _nudge_by_currents(now: CircuitMeans) -> CircuitMeans | None:
    """Nudge by a hundredth of the mean conductance of a node in place of clamping, with a current that is held."""
    if not isinstance(now.trial.rule, Coupled) or not isinstance(now.chip, CircuitChip):
        return None
    outputs = now.chip.system().outputs
    beta = 0.01 * float(now.chip.system().linear.diagonal()[outputs].mean()) or 1e-8
    chip = now.chip.variant(nudge="held")
    return CircuitMeans(chip, now.trial._replace(rule=SquaredDrops()), Centred.model_construct(beta=beta))


def _weigh_drops(now: CircuitMeans) -> CircuitMeans | None:
    if now.trial.metric or set(now.chip.metrics.values()) == {1.0}:
        return None
    return now._replace(trial=now.trial._replace(metric=True))


def _trim_amplifiers(now: CircuitMeans) -> CircuitMeans | None:
    """Trim B of every amplifier, unless squared drops are not weighed although they should be."""
    if not isinstance(now.chip, CircuitChip) or now.chip.design.trimmed:
        return None
    own, better = now.chip.effective.amplifiers, now.chip.variant(trimmed=True)
    if not (now.trial.metric or set(now.chip.metrics.values()) == {1.0}):
        return None
    return None if np.array_equal(own.backward, better.effective.amplifiers.backward) else now._replace(chip=better)


def _lengthen_durations(now: CircuitMeans) -> CircuitMeans | None:
    if not now.chip.ends_by_clock or not isinstance(now.chip, CircuitChip):
        return None
    twice = (None if duration is None else 2.0 * duration for duration in now.chip.design.clock)
    return now._replace(chip=now.chip.variant(clock=PhaseClock(*twice)))


def _settle_longer(now: CircuitMeans) -> CircuitMeans | None:
    design = now.chip.design
    if now.chip.ends_by_clock:
        return None
    if isinstance(now.chip, LayeredChip) and now.chip.design.sweeps is not None:
        return now._replace(chip=now.chip.variant(sweeps=2 * now.chip.design.sweeps))
    return now._replace(chip=now.chip.variant(tolerance=0.01 * design.tolerance))


def _use_double(now: CircuitMeans) -> CircuitMeans | None:
    if not isinstance(now.chip, LayeredChip) or now.chip.design.precision == "double":
        return None
    return now._replace(chip=now.chip.variant(precision="double"))


def _idealise(block: str, **ideal: float | None) -> Callable[[CircuitMeans], CircuitMeans | None]:
    def change(now: CircuitMeans) -> CircuitMeans | None:
        if not isinstance(now.chip, CircuitChip):
            return None
        devices = now.chip.design.devices
        part = getattr(devices, block)
        if all(getattr(part, key) == value for key, value in ideal.items()):
            return None
        better = devices.model_copy(update={block: part.model_copy(update=ideal)})
        return now._replace(chip=now.chip.variant(better))

    return change


def _quieten(now: CircuitMeans) -> CircuitMeans | None:
    """Take the fast noise of conductances away."""
    if not isinstance(now.chip, CircuitChip) or now.chip.design.devices.weights.noise.fast == 0.0:
        return None
    devices = now.chip.design.devices
    quiet = devices.make_quiet().model_copy(update={"drops": devices.drops})
    return now._replace(chip=now.chip.variant(quiet))


REMEDIES = {
    "held-nudge": CircuitRemedy(("finite_nudge",), "phases.nudge", _hold_nudge),
    "centred-nudge": CircuitRemedy(("finite_nudge",), "learning.scheme.kind", _centre_nudge),
    "smaller-nudge": CircuitRemedy(("finite_nudge",), "learning.scheme.beta", _scale_nudge(0.5)),
    "smaller-clamp": CircuitRemedy(("finite_nudge",), "learning.rule.clamp", _scale_clamp(0.5)),
    "nudging-currents": CircuitRemedy(("clamp", "finite_nudge"), "learning.rule", _nudge_by_currents),
    "metric": CircuitRemedy(("asymmetry",), "learning.metric", _weigh_drops),
    "equal-gains": CircuitRemedy(
        ("asymmetry",), "devices.amplifiers.backward_sigma", _idealise("amplifiers", backward_sigma=0.0)
    ),
    "trimmed-amplifiers": CircuitRemedy(("asymmetry",), "devices.amplifiers", _trim_amplifiers),
    "longer-durations": CircuitRemedy(("settling",), "dynamics.free, dynamics.nudged", _lengthen_durations),
    "longer-settling": CircuitRemedy(("settling",), "dynamics.sweeps or tolerance", _settle_longer),
    "double-precision": CircuitRemedy(("precision",), "dynamics.precision", _use_double),
    "drop-offsets": CircuitRemedy(("readout",), "devices.drops.offset_sigma", _idealise("drops", offset_sigma=0.0)),
    "equal-squarers": CircuitRemedy(
        ("readout",),
        "devices.drops.squarer_offset_sigma and squarer_gain_sigma",
        _idealise("drops", squarer_offset_sigma=0.0, squarer_gain_sigma=0.0),
    ),
    "one-circuit": CircuitRemedy(("readout",), "devices.drops.twin_sigma", _idealise("drops", twin_sigma=0.0)),
    "target-offsets": CircuitRemedy(("readout",), "devices.nudge.offset_sigma", _idealise("nudge", offset_sigma=0.0)),
    "nudge-gain": CircuitRemedy(("readout",), "devices.nudge.gain", _idealise("nudge", gain=1.0)),
    "read-noise": CircuitRemedy(
        ("noise",), "devices.drops.noise and twin_noise", _idealise("drops", noise=0.0, twin_noise=None)
    ),
    "conductance-noise": CircuitRemedy(("noise",), "devices.weights.noise.fast", _quieten),
    "larger-nudge": CircuitRemedy(("readout", "noise"), "learning.scheme.beta", _scale_nudge(2.0)),
    "larger-clamp": CircuitRemedy(("readout", "noise"), "learning.rule.clamp", _scale_clamp(2.0)),
}
"""Every change that may help on a circuit, by its name."""


def measure_circuit_remedies(
    now: CircuitMeans, found: CircuitMeasurement, terms: tuple[str, ...]
) -> dict[str, CircuitGain]:
    """Return what every possible change against some terms gives, each alone.

    Parameters
    ----------
    now : CircuitMeans
        The circuit as it is, what was asked of it, and the scheme under which the largest cause was found.
    found : CircuitMeasurement
        What was found.
    terms : tuple of str
        What the cause is made of.
    """
    gains = {}
    for name, remedy in REMEDIES.items():
        if not set(terms) & set(remedy.terms):
            continue
        changed = remedy.change(now)
        if changed is not None:
            reading = changed.trial.rule.measure(changed.chip, changed.trial.present(0), changed.scheme)
            gains[name] = _read_gain(changed, found, reading, remedy.keys)
    return gains


def read_first_gain(now: CircuitMeans, found: CircuitMeasurement, scheme: int) -> CircuitGain:
    """Return what the first measurement says without any change, to compare gains with."""
    return _read_gain(now, found, found.readings[scheme], "")


def _read_gain(now: CircuitMeans, found: CircuitMeasurement, reading: CircuitReading, keys: str) -> CircuitGain:
    """Return what one measurement says, in units of the exact gradients: those of another circuit after a change."""
    chip, trial, point = now.chip, now.trial, found.point
    exact = {name: book.steps[0] for name, book in found.blocks[0].items()}
    if keys and isinstance(chip, CircuitChip):
        oracle = make_oracle(chip)
        point = oracle.find_point(trial.x, trial.target)
        exact = oracle.compute_gradients(point, found.keep)
    keep = has_settled(reading.status, chip.ends_by_clock) & point.reached
    unit = find_unit(point, found.keep & keep) if isinstance(trial.rule, Coupled) else 1.0
    blocks = combine_contrasts(chip, reading, found.keep, trial.metric)
    return CircuitGain(
        keys=keys,
        delta=find_vector(chip, trial, reading) / unit,
        true=point.adjoint,
        keep=keep,
        blocks={name: block / unit for name, block in blocks.items()},
        exact=exact,
    )
