"""The imperfections of a chip by name, each of which can be taken away alone."""

from __future__ import annotations

from collections.abc import Callable

from devices.converter import NudgeCircuit
from devices.neurons import NeuronDevices
from devices.noise import Noise
from devices.retention import Retention
from devices.sampling import Hold

from .design import Design


def _quiet(design: Design) -> Design:
    return design._replace(noise=Noise(read=design.noise.read))


def _knowing(design: Design) -> Design:
    # Without mismatch the programmed weights are the effective ones.
    ignorant = design.correction == "programmed" and design.feedback.mismatch_sigma > 0.0
    return design._replace(correction="exact") if ignorant else design


CAUSES: dict[str, Callable[[Design], Design]] = {
    "mismatch": lambda d: d._replace(feedback=d.feedback.model_copy(update={"mismatch_sigma": 0.0})),
    "neurons": lambda d: d._replace(neurons=NeuronDevices()),
    "noise": _quiet,
    "read-noise": lambda d: d._replace(noise=d.noise.model_copy(update={"read": 0.0})),
    "adc": lambda d: d._replace(converters=d.converters.model_copy(update={"readout": None})),
    "hold": lambda d: d._replace(hold=Hold()),
    "nudge-circuit": lambda d: d._replace(converters=d.converters.model_copy(update={"nudge": NudgeCircuit()})),
    "write": lambda d: d._replace(update=None),
    "retention": lambda d: d if not d.retention.on else d._replace(retention=Retention()),
    "correction-knowledge": _knowing,
}
"""What takes each imperfection away: from a design to the same design without it."""


def causes(design: Design) -> list[str]:
    """Return the names of the imperfections of a design, in the order of `CAUSES`."""
    return [name for name, ideal in CAUSES.items() if ideal(design) != design]


def without(design: Design, *names: str) -> Design:
    """Return the design without the named imperfections.

    Raises
    ------
    ValueError
        If a name is not in `CAUSES`.
    """
    for name in names:
        if name not in CAUSES:
            raise ValueError(f"{name!r} is no cause of error: take one of {', '.join(CAUSES)}")
        design = CAUSES[name](design)
    return design
