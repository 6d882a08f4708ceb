"""What a scenario file can say: the tables, composed from the parameter classes of the laws."""

from __future__ import annotations

from typing import Annotated, Literal

import tomlkit
from pydantic import Discriminator, Field, Tag, model_validator
from pydantic_core import PydanticCustomError

from devices.activation import HOLOMORPHIC, Named
from devices.mismatch import FeedbackDevices
from devices.neurons import NeuronDevices
from devices.noise import Noise
from devices.parameters import Degrees, Parameters
from learning.schemes import Scheme
from substrate.methods import Dynamics

SCHEMA = 1
"""Version of the scenario language that this release reads."""


class Init(Parameters):
    """Where programmed weights come from when no file gives them."""

    kind: Literal["lecun-normal"] = "lecun-normal"
    """Truncated normal with variance 1/fan-in; biases zero."""


class Asymmetry(Parameters):
    """The nominal asymmetry of the initial weights (Laborieux & Zenke 2024)."""

    angle: Annotated[Degrees, Field(ge=0.0, le=180.0)] = 0.0
    """Feedback starts as ``sin(angle) W_back + cos(angle) W_fwd^T``; degree, 0 (symmetric) to 180; 90: independent."""


_ActivationName = Literal["sigmoid", "dsilu", "tanh", "hard-sigmoid", "softplus", "identity"]
Activation = Annotated[
    Annotated[_ActivationName, Tag("<name>")] | Annotated[Named, Tag("<table>")],
    Discriminator(lambda value: "<table>" if isinstance(value, dict | Named) else "<name>"),
]


class Network(Parameters):
    """Layers, connections, activation and cost."""

    law: Literal["additive", "hopfield"] = "additive"
    """Drift of a unit: `additive`, ``F = -u + h``, or `hopfield`, ``F = -u + rho'(u) h``."""

    activation: Activation = "sigmoid"
    """``sigmoid(4u - 2)``, the double-sided SiLU of the seed paper, ..., or a measured ``{ table = "neuron.csv" }``."""

    layers: dict[str, Annotated[int, Field(ge=1, le=1_000_000)]]
    """Units per layer, in order: the first is the clamped input, the last the output."""

    connections: Annotated[list[str], Field(min_length=1)]
    """Directed connections, each ``"pre-post"``."""

    cost: Literal["cross-entropy", "mse"] = "cross-entropy"
    """`cross-entropy` behind a dense softmax readout, or `mse`, half the squared distance of the outputs."""

    init: Init = Init()
    """Initial weights."""

    parameters: str | None = None
    """npz file with the programmed weights instead of `init`; relative to the scenario file."""

    asymmetry: Asymmetry = Asymmetry()
    """Nominal asymmetry, applied to `init` only."""


class Chip(Parameters):
    """Which piece of silicon."""

    instance: Annotated[int, Field(ge=0, le=2**31)] = 0
    """Number of the fabricated chip: same seed and instance, same chip."""


class Devices(Parameters):
    """Imperfections; an absent block is ideal, bit for bit."""

    feedback: FeedbackDevices = FeedbackDevices()
    """Devices of the feedback connections."""

    neurons: NeuronDevices = NeuronDevices()
    """Membranes, and the poles in front of them."""

    noise: Noise = Noise()
    """Noise of the membranes while they settle."""


class Learning(Parameters):
    """How gradients are estimated."""

    scheme: Scheme | None = None
    """One nudge scheme."""

    schemes: Annotated[list[Scheme], Field(min_length=1, max_length=64)] | None = None
    """Several nudge schemes, measured side by side."""

    presynaptic: Literal["mean", "free"] = "mean"
    """Presynaptic factor of a weight gradient: mean over the scheme's nodes, or the free state."""

    @model_validator(mode="after")
    def _one_way(self) -> Learning:
        if self.scheme is not None and self.schemes is not None:
            raise PydanticCustomError("schemes", "`scheme` and `schemes` exclude each other: one scheme or a list")
        return self

    def all_schemes(self) -> list[Scheme]:
        """Return the schemes, however they were written."""
        return self.schemes or ([self.scheme] if self.scheme else [])


class BundledTask(Parameters):
    """A small data set inside the program."""

    kind: Literal["bundled"]
    name: Literal["fashion-small"] = "fashion-small"
    """`fashion-small`: 2,000 training and 500 test images of Fashion-MNIST."""


class IdxTask(Parameters):
    """MNIST-like IDX files, plain or gzip."""

    kind: Literal["idx"]
    path: str
    """Folder with ``train-images-idx3-ubyte[.gz]`` and the three files beside it; relative to the scenario file."""


class ArraysTask(Parameters):
    """Your own arrays."""

    kind: Literal["arrays"]
    path: str
    """npz file, relative to the scenario file: ``x`` (samples, inputs); ``y`` (samples, classes) or integer labels."""


Task = Annotated[BundledTask | IdxTask | ArraysTask, Field(discriminator="kind")]


class Record(Parameters):
    """Which settling curves are kept."""

    samples: Annotated[int, Field(ge=1, le=1000)] = 2
    """The first so many samples."""

    every_steps: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Keep every so many steps."""


class Settle(Parameters):
    """Record settling curves: the free phase, then every nudge of every scheme."""

    kind: Literal["settle"]
    record: Record = Record()
    """Which curves."""


class Measure(Parameters):
    """Measure gradients on the chip and compare them with the exact ones; nothing is learned."""

    kind: Literal["measure"]
    samples: Annotated[int, Field(ge=1, le=100_000)] = 64
    """The first so many training samples."""

    record: Record | None = None
    """Settling curves to keep beside; absent: none."""


Experiment = Annotated[Settle | Measure, Field(discriminator="kind")]


class Scenario(Parameters):
    """One experiment on one chip, completely described."""

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    """Version of the scenario language; 1."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$")]
    """Name of the run; letters, digits, ``_ . -``."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Seed of everything random; 0 to 2^63 - 1."""

    network: Network
    chip: Chip = Chip()
    dynamics: Dynamics = Dynamics()
    devices: Devices = Devices()
    learning: Learning = Learning()
    task: Task
    experiment: Experiment

    @model_validator(mode="after")
    def _schemes_for_measure(self) -> Scenario:
        if self.experiment.kind == "measure" and not self.learning.all_schemes():
            raise PydanticCustomError(
                "no_scheme",
                'a measure needs a nudge scheme: add [learning] scheme = { kind = "centred", beta = 0.2 }',
            )
        return self

    @model_validator(mode="after")
    def _possible_physics(self) -> Scenario:
        fault = self.dynamics.noise_fault() if self.devices.noise.on else ""
        if fault:
            raise PydanticCustomError("noise", "{fault}", {"fault": fault})
        schemes = self.learning.all_schemes()
        complex_nudges = any(node.beta.imag != 0.0 for scheme in schemes for node in scheme.nodes())
        if complex_nudges and self.network.activation not in HOLOMORPHIC:
            raise PydanticCustomError(
                "activation",
                "network.activation has no complex values, but a circle scheme nudges with complex numbers: use a "
                "scheme with real nudges, such as centred",
            )
        return self

    def to_toml(self) -> str:
        """Return the scenario with every default filled in, as TOML."""
        return tomlkit.dumps(self.model_dump(by_alias=True, exclude_none=True, mode="json"))
