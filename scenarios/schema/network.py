"""What a scenario says of its network, and what its convolutions rule out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, WithJsonSchema
from pydantic_core import PydanticCustomError

from devices.hardware import Devices
from devices.neuron import curves
from devices.neuron.activation import CODES, Named
from devices.parameters import Degrees, FilePath, Parameters
from devices.quantities import get_magnitude
from substrate.dynamics.methods import INSTALL_JAX, Dynamics
from substrate.laws.law import LAWS
from substrate.network.wiring import ConvolutionPath
from substrate.units.physical import Physical

from .devices import Found
from .learning import Learning


class Init(Parameters):
    """Where programmed weights come from when no file gives them."""

    kind: Literal["lecun-normal"] = "lecun-normal"
    """Truncated normal with variance 1/fan-in; biases zero."""


class Asymmetry(Parameters):
    """The nominal asymmetry of the initial weights (Laborieux & Zenke 2024)."""

    angle: Annotated[Degrees, Field(ge=0.0, le=180.0)] = 0.0
    """Feedback starts as ``sin(angle) W_back + cos(angle) W_fwd^T``; degree, 0 (symmetric) to 180; 90: independent."""


def _check_activation(name: str) -> str:
    """Refuse a name that no activation has in this process."""
    if name not in curves.list_activations():
        hint = "an activation of your own: nudgelab.register_activation before the scenario is loaded"
        raise PydanticCustomError("unknown_name", "unknown", {"choices": curves.list_activations(), "hint": hint})
    return name


_ActivationName = Annotated[
    str, AfterValidator(_check_activation), WithJsonSchema({"enum": list(CODES), "type": "string"})
]
Activation = Annotated[
    Annotated[_ActivationName, Tag("<name>")] | Annotated[Named, Tag("<table>")],
    Discriminator(lambda value: "<table>" if isinstance(value, dict | Named) else "<name>"),
]


if TYPE_CHECKING:  # the choices are the laws that there are
    LawName = str
else:
    LawName = Literal[tuple(LAWS)]


_Units = Annotated[int, Field(ge=1, le=1_000_000)]
_Size = Annotated[
    Annotated[_Units, Tag("<units>")] | Annotated[list[_Units], Field(min_length=3, max_length=3), Tag("<form>")],
    Discriminator(lambda value: "<form>" if isinstance(value, list) else "<units>"),
]
_Connection = Annotated[
    Annotated[str, Tag("<path>")] | Annotated[ConvolutionPath, Tag("<table>")],
    Discriminator(lambda value: "<table>" if isinstance(value, dict | ConvolutionPath) else "<path>"),
]


class Network(Parameters):
    """Layers, connections, activation and cost."""

    law: LawName = "additive"
    """Drift of a unit: `additive`, ``F = -u + h``, or `hopfield`, ``F = -u + rho'(u) h``."""

    activation: Activation = "sigmoid"
    """``sigmoid(4u - 2)``, the double-sided SiLU of the seed paper, ..., a measured ``{ table = "neuron.csv" }``, or a
    name of your own that Python registered."""

    layers: dict[str, _Size]
    """Units per layer, or ``[rows, columns, channels]``, in order: the first is the clamped input, the last the output.
    A layer of channels has one bias per channel."""

    connections: Annotated[list[_Connection], Field(min_length=1)]
    """Directed connections, each ``"pre-post"``, or ``{ path = "in-conv1", kind = "conv", kernel = 3 }``."""

    cost: Literal["cross-entropy", "mse"] = "cross-entropy"
    """`cross-entropy` behind a dense softmax readout, or `mse`, half the squared distance of the outputs."""

    init: Init = Init()
    """Initial weights."""

    parameters: FilePath | None = None
    """npz file or run.h5 of a training: the weights to programme instead of `init`; relative to the scenario file."""

    asymmetry: Asymmetry = Asymmetry()
    """Nominal asymmetry, applied to `init` only."""


def find_convolution_faults(
    network: Network, dynamics: Dynamics, devices: Devices, physical: Physical | None, learning: Learning
) -> Found:
    """Return what does not go with the convolutions of a network, if it has any; tables of the scenario."""
    paths = [path.path for path in network.connections if not isinstance(path, str)]
    if not paths:
        return []
    found: Found = []
    dense = "or use dense connections"
    if dynamics.engine != "jax":
        hint = f'set dynamics.engine = "jax"; {INSTALL_JAX}'
        found.append((("dynamics", "engine"), f"this engine does not settle convolutions ({paths[0]})", hint))
    if get_magnitude(devices.wires.segment) > 0.0:
        words = f"a kernel ({paths[0]}) has no array of rows and columns"
        found.append((("devices", "wires", "segment"), words, f"leave devices.wires out, {dense}"))
    if physical is not None and physical.synapse != "virtual-ground":
        words = f"which units the cells of a kernel ({paths[0]}) load is not modelled"
        found.append((("physical", "synapse"), words, f'take "virtual-ground", {dense}'))
    capped = ("learning", "optimiser", "spectral_caps")
    caps = learning.optimiser.spectral_caps
    found += [((*capped, path), "a kernel is no matrix", "leave it out") for path in paths if path in caps]
    copied = [p.path for p in network.connections if not isinstance(p, str) and p.cells == "per-position"]
    return found + (_find_copy_faults(copied[0], devices) if copied else [])


def _find_copy_faults(path: str, devices: Devices) -> Found:
    """Return the blocks of devices by which the copies of a kernel would come to hold different numbers."""
    acting = {
        "update": devices.update is not None,
        "comparator": devices.comparator is not None,
        "retention": devices.retention.on,
    }
    words = f"is drawn cell by cell, and the copies of a kernel ({path}) are written as one number"
    hint = 'leave devices.{} out, or take cells = "shared"'
    return [(("devices", name), words, hint.format(name)) for name, on in acting.items() if on]
