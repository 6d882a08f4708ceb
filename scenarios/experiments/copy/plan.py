"""What a scenario says about copies of a trained network."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from devices.hardware import Devices
from devices.neuron.curves import NOT_RISING, is_rising
from devices.parameters import Parameters
from learning.copying.cells import LearningCells
from learning.schemes.scheme import Scheme
from substrate.dynamics.methods import Dynamics
from substrate.network.topology import Topology
from substrate.network.wiring import find_wiring_faults

from ...schema.network import Network
from ...schema.plan import ExperimentPlan, Faults


class Recovery(Parameters):
    """Training of every copy on its own chip, with the rule, the optimiser and the writes of ``[learning]``."""

    cells: LearningCells = "all"
    """Which cells learn. `readout`: weights from and to the outputs, their biases and the digital readout; `gains`:
    biases, and what all weights of a row have in common."""

    epochs: Annotated[int, Field(ge=1, le=1_000_000)] = 5
    """Passes over the training samples."""

    every_batches: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Test after every so many batches, and at the end; absent: after every epoch."""

    rate: Annotated[float, Field(gt=0.0, le=1000.0)] | None = None
    """Learning rate; above 0. Absent: that of ``learning.optimiser``."""


class CopyNetwork(ExperimentPlan):
    """Train a network on one chip, copy it onto other chips of the same design, and tell what that costs."""

    needs_scheme: ClassVar = True
    takes_rules: ClassVar = True

    kind: Literal["copy"]
    chips: Annotated[int, Field(ge=2, le=1000)] = 10
    """Chips that the network is copied onto; the trained one is `chip.instance`, these follow it."""

    epochs: Annotated[int, Field(ge=0, le=1_000_000)] = 10
    """Epochs of the training on the first chip. 0: it is as it is programmed, as with the ``network.parameters`` that
    the training of the same chip has left."""

    weights: Literal["programmed", "measured"] = "programmed"
    """What is copied: what the trained cells were asked for, or what its units feel of them, as free reads tell it."""

    calibrate: Literal["none", "affine"] = "none"
    """`affine`: every copy gets a gain for each row and an offset for each unit, told by free reads of its own chip."""

    reads: Annotated[int, Field(ge=2, le=1_000_000)] = 100
    """Training samples that a chip reads once each to be measured or calibrated, the first ones as far as there are."""

    recover: Recovery | None = None
    """Training of the copies; absent: none."""

    samples: Annotated[int, Field(ge=1)] | None = None
    """Train on the first so many samples; absent: all."""

    test_samples: Annotated[int, Field(ge=1)] | None = None
    """Test on the first so many samples; absent: all."""

    @property
    def chip_count(self) -> int:
        """The trained chip and those with a copy."""
        return 1 + self.chips

    @property
    def takes_reads(self) -> bool:
        """Whether chips are read to be measured or calibrated."""
        return self.weights == "measured" or self.calibrate == "affine"

    def find_design_faults(self, network: Network, devices: Devices, passive: bool) -> Faults:
        """Return why rows of this network cannot be told or trained."""
        if find_wiring_faults(network.layers, network.connections):  # told elsewhere
            return []
        reading = [("weights",)] * (self.weights == "measured") + [("calibrate",)] * (self.calibrate == "affine")
        gains = self.recover is not None and self.recover.cells == "gains"
        rows: list[tuple[str, ...]] = [*reading, *[("recover", "cells")] * gains]
        found: Faults = []
        if kernels := [path.path for path in network.connections if not isinstance(path, str)]:
            words = f"is a matter of the rows of matrices, but {kernels[0]} is a convolution"
            found += [(place, words, "leave it out, or take dense connections") for place in rows]
        elif devices.feedback.tied and Topology(network.layers, network.connections).pairs():
            words = "takes rows of both directions apart, but one number stands for both weights of a pair"
            found += [(place, words, 'take devices.feedback.storage = "independent"') for place in rows]
        if not is_rising(network.activation):
            words = f"tells the drive of a unit from its activity, but {network.activation} {NOT_RISING}"
            found += [
                (place, words, "take an activation that only rises, such as sigmoid or tanh") for place in reading
            ]
        if passive:
            words = "tells weights from drives, but passive synapses load the units, too"
            found += [(place, words, 'take physical.synapse = "virtual-ground"') for place in reading]
        return found

    def faults(
        self,
        schemes: Sequence[Scheme],  # noqa: ARG002
        dynamics: Dynamics,  # noqa: ARG002
        mirror: bool,  # noqa: ARG002
    ) -> Faults:
        """Return that nothing is read although `reads` says how often."""
        if self.takes_reads or self.reads == type(self).model_fields["reads"].default:
            return []
        return [(("reads",), "changes nothing: nothing is measured", 'take weights = "measured", or leave it out')]


PLAN = CopyNetwork
