"""Optimisers: from gradients to requested changes of the programmed parameters.

Everything here is digital, in the controller: momentum, moments and vectors that have to survive from one write to
the next are kept in one mapping of arrays, which a checkpoint keeps too.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer

from devices.parameters import Parameters

from . import spectral
from .schedule import TrainingMoment, compute_rate_share

Array = NDArray[np.float64]
Record = Callable[[], Mapping[str, Array]]

Rate = Annotated[float, Field(ge=0.0, le=1000.0)]
Decay = Annotated[float, Field(ge=0.0, le=10.0)]


class _Optimiser(Parameters):
    rate: Annotated[float, Field(gt=0.0, le=1000.0)] = 0.01
    """Learning rate; above 0."""

    rates: dict[str, Rate] = Field(default_factory=dict)
    """Rates in place of `rate`, by connection (`l1-l2`) or block (`bias/l1`, `readout/weight`); 0: it never changes."""

    schedule: Literal["constant", "cosine"] = "constant"
    """How rates change: not at all, or ``(1 + cos(pi t / T)) / 2`` of themselves over all batches of a training."""

    warm_up: Annotated[float, Field(ge=0.0, le=1e6)] = 0.0
    """Epochs before that, over which rates rise in equal steps up to their full size."""

    weight_decay: Decay = 0.0
    """Share of every weight, times its rate, that each write takes away; biases keep theirs. 0 to 10.

    It passes no momentum or moments (decoupled: Loshchilov & Hutter 2019). A number that both directions share is
    asked by both, and decays twice.
    """

    weight_decays: dict[str, Decay] = Field(default_factory=dict)
    """Decays in place of `weight_decay`, by connection or block, named as in `rates`; 0: it keeps what it has."""

    clip: Annotated[float, Field(gt=0.0)] | None = None
    """Largest length of the gradient of all blocks together; a longer one is scaled down. Absent: no limit."""

    spectral_caps: dict[str, Annotated[float, Field(gt=0.0)]] = Field(default_factory=dict)
    """Largest singular value by connection, such as `l1-l2`: what is above the cap is taken away with the next write.

    The controller finds it in its own record of what it programmed, not on the chip: spread of the cells comes on
    top. What a cell itself cannot exceed is `devices.weights.window`.
    """

    @model_serializer(mode="wrap")
    def _without_usual_decays(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out decays of blocks where there are none, so that runs keep the names they had before this key."""
        fields: dict[str, Any] = dump(self)
        if not self.weight_decays:
            fields.pop("weight_decays", None)
        return fields

    @property
    def numbers_per_cell(self) -> int:
        """Numbers that are kept of every cell from one batch to the next."""
        return 0

    @property
    def needs_record(self) -> bool:
        """Whether it needs the controller's own record of what is programmed."""
        return any(decay > 0.0 for decay in (self.weight_decay, *self.weight_decays.values())) or bool(
            self.spectral_caps
        )

    def rate_of(self, block: str) -> float:
        """Return the full rate of a block such as ``weight/l1-l2``."""
        return _find_value(self.rates, block, self.rate)

    def decay_of(self, block: str) -> float:
        """Return the decay of a block; biases have none."""
        return 0.0 if "bias" in block.split("/") else _find_value(self.weight_decays, block, self.weight_decay)


def _find_value(table: Mapping[str, float], block: str, otherwise: float) -> float:
    """Return what a table says of a block such as ``weight/l1-l2``, by that name or its connection's."""
    return table.get(block, table.get(block.removeprefix("weight/"), otherwise))


class Sgd(_Optimiser):
    """Stochastic gradient descent with momentum: ``v <- momentum v + g``, requested change ``-rate v``."""

    kind: Literal["sgd"] = "sgd"

    momentum: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9
    """Share of the last step that is kept; 0 to below 1."""

    @property
    def numbers_per_cell(self) -> int:
        """One, the velocity; without momentum none."""
        return int(self.momentum > 0.0)

    def direction(self, block: str, gradient: Array, scale: float, memory: dict[str, Array], step: int) -> Array:  # noqa: ARG002
        """Return ``v`` of a block for ``scale * gradient``; `memory` is updated in place."""
        if block not in memory:
            memory[block] = scale * gradient
            return memory[block]
        velocity = memory[block]
        velocity *= self.momentum
        velocity += gradient if scale == 1.0 else scale * gradient
        return velocity


class AdamW(_Optimiser):
    """Steps of a size that hardly depends on the gradient's (Kingma & Ba 2015; decay of Loshchilov & Hutter 2019).

    ``m <- beta1 m + (1 - beta1) g``, ``s <- beta2 s + (1 - beta2) g^2``, requested change
    ``-rate m' / (sqrt(s') + epsilon)`` with ``m' = m / (1 - beta1^t)``, ``s' = s / (1 - beta2^t)`` for t = 1, 2, ...
    """

    kind: Literal["adamw"]
    rate: Annotated[float, Field(gt=0.0, le=1000.0)] = 0.001
    """Learning rate; above 0."""

    weight_decay: Decay = 0.01
    """As that of sgd."""

    beta1: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.9
    """Memory of the mean; 0 to below 1."""

    beta2: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.999
    """Memory of the mean square; 0 to below 1."""

    epsilon: Annotated[float, Field(gt=0.0, le=1.0)] = 1e-8
    """Keeps a gradient near 0 from taking whole steps; above 0."""

    @property
    def numbers_per_cell(self) -> int:
        """Mean and mean square."""
        return 2

    def direction(self, block: str, gradient: Array, scale: float, memory: dict[str, Array], step: int) -> Array:
        """Return ``m' / (sqrt(s') + epsilon)`` of a block for ``scale * gradient``; `memory` is updated in place."""
        for kept in (f"mean/{block}", f"square/{block}"):
            if kept not in memory:
                memory[kept] = np.zeros_like(gradient)
        mean, square = memory[f"mean/{block}"], memory[f"square/{block}"]
        mean *= self.beta1
        mean += gradient * ((1.0 - self.beta1) * scale)
        square *= self.beta2
        square += np.square(gradient) * ((1.0 - self.beta2) * scale**2)
        # In place: an array of all weights is too large for the second-level cache.
        root = np.sqrt(square)
        root *= (1.0 - self.beta1**step) / math.sqrt(1.0 - self.beta2**step)
        root += (1.0 - self.beta1**step) * self.epsilon
        return np.asarray(np.divide(mean, root, out=root))


AnyOptimiser = Sgd | AdamW
Optimiser = Annotated[
    AnyOptimiser,
    Field(discriminator="kind"),
    BeforeValidator(lambda value: {"kind": "sgd"} | value if isinstance(value, dict) else value),
]
"""An optimiser as a table; without a kind it is `sgd`."""


class OptimiserContext(NamedTuple):
    """What an optimiser knows beside the gradient."""

    moment: TrainingMoment = TrainingMoment()
    """How far the training is."""

    record: Record | None = None
    """The controller's own record of what is programmed now, by block."""


def compute_requested_changes(
    optimiser: AnyOptimiser,
    gradient: Mapping[str, Array],
    memory: dict[str, Array],
    controller: OptimiserContext = OptimiserContext(),  # noqa: B008  immutable
) -> dict[str, Array]:
    """Return the changes to write for one batch, by block.

    Parameters
    ----------
    optimiser : Sgd or AdamW
        How.
    gradient : mapping of block name to array
        Gradient of the batch.
    memory : dict of str to array
        What was kept since the first batch; updated in place.
    controller : Controller
        How far the training is, and what is programmed.

    Raises
    ------
    ValueError
        If there is a weight decay or a spectral cap, but no record of the programmed weights.
    """
    if optimiser.needs_record and controller.record is None:
        raise ValueError(f"{optimiser.kind}: weight_decay and spectral_caps need the record of programmed weights")
    moment, changes = controller.moment, {}
    now, scale = (
        compute_rate_share(optimiser.schedule, optimiser.warm_up, moment),
        _compute_clip_factor(optimiser.clip, gradient),
    )
    programmed = controller.record() if optimiser.needs_record and controller.record else {}
    for name, g in gradient.items():
        direction, rate = optimiser.direction(name, g, scale, memory, moment.step + 1), now * optimiser.rate_of(name)
        changes[name] = direction * -rate
        if (decay := optimiser.decay_of(name)) > 0.0:
            changes[name] -= rate * decay * programmed[name]
    for connection, cap in optimiser.spectral_caps.items():
        name = f"weight/{connection}"
        if name in changes:
            start = memory.get(f"spectral/{name}")
            excess, memory[f"spectral/{name}"] = spectral.compute_spectral_excess(
                programmed[name] + changes[name], cap, start
            )
            changes[name] -= excess
    return changes


def _compute_clip_factor(clip: float | None, gradient: Mapping[str, Array]) -> float:
    """Return the factor that shortens a gradient to `clip` (Pascanu, Mikolov & Bengio 2013)."""
    if clip is None:
        return 1.0
    length = math.sqrt(sum(float(np.square(block).sum()) for block in gradient.values()))
    return min(1.0, clip / length) if length > 0.0 else 1.0
