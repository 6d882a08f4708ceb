"""What a scenario file can say: the tables, composed from the parameter classes of the laws."""

from __future__ import annotations

from typing import Annotated, Literal

import tomlkit
from pydantic import Field, ValidationError, model_validator
from pydantic_core import InitErrorDetails, PydanticCustomError

from devices.activation import HOLOMORPHIC, Named
from devices.mismatch import FeedbackDevices
from devices.neurons import NeuronDevices
from devices.noise import Noise
from devices.parameters import Degrees, Parameters
from learning.schemes import Scheme
from learning.updates import Sgd
from substrate import times
from substrate.methods import Dynamics
from substrate.physical import Physical

SCHEMA = 1
"""Version of the scenario language that this release reads."""

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,99}$"
"""What the name of a scenario looks like."""


class Init(Parameters):
    """Where programmed weights come from when no file gives them."""

    kind: Literal["lecun-normal"] = "lecun-normal"
    """Truncated normal with variance 1/fan-in; biases zero."""


class Asymmetry(Parameters):
    """The nominal asymmetry of the initial weights (Laborieux & Zenke 2024)."""

    angle: Annotated[Degrees, Field(ge=0.0, le=180.0)] = 0.0
    """Feedback starts as ``sin(angle) W_back + cos(angle) W_fwd^T``; degree, 0 (symmetric) to 180; 90: independent."""


class Network(Parameters):
    """Layers, connections, activation and cost."""

    law: Literal["additive", "hopfield"] = "additive"
    """Drift of a unit: `additive`, ``F = -u + h``, or `hopfield`, ``F = -u + rho'(u) h``."""

    activation: Literal["sigmoid", "dsilu", "tanh", "hard-sigmoid", "softplus", "identity"] | Named = "sigmoid"
    """``sigmoid(4u - 2)``, the double-sided SiLU of the seed paper, another law, or ``{ table = "neuron.csv" }``."""

    layers: dict[str, Annotated[int, Field(ge=1, le=1_000_000)]]
    """Units per layer, in order: the first is the clamped input, the last the output."""

    connections: Annotated[list[str], Field(min_length=1)]
    """Directed connections, each ``"pre-post"``."""

    cost: Literal["cross-entropy", "mse"] = "cross-entropy"
    """`cross-entropy` behind a dense softmax readout, or `mse`, half the squared distance of the outputs."""

    init: Init = Init()
    """Initial weights."""

    parameters: str | None = None
    """npz file or run.h5 of a training: the weights to programme instead of `init`; relative to the scenario file."""

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
    """Membranes."""

    noise: Noise = Noise()
    """Noise of the membranes while they settle."""


class Learning(Parameters):
    """How gradients are estimated."""

    scheme: Scheme | None = None
    """One nudge scheme."""

    schemes: Annotated[list[Scheme], Field(min_length=1, max_length=64)] | None = None
    """Several nudge schemes, measured side by side."""

    optimiser: Sgd = Sgd()
    """How gradients become writes; only used in training."""

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


class _AnyTask(Parameters):
    batch: Annotated[int, Field(ge=1, le=100_000)] = 50
    """Samples per batch of a training."""


class BundledTask(_AnyTask):
    """A small data set inside the program."""

    kind: Literal["bundled"]
    name: Literal["fashion-small"] = "fashion-small"
    """`fashion-small`: 2,000 training and 500 test images of Fashion-MNIST."""


class IdxTask(_AnyTask):
    """MNIST-like IDX files, plain or gzip."""

    kind: Literal["idx"]
    path: str
    """Folder with ``train-images-idx3-ubyte[.gz]`` and the three files beside it; relative to the scenario file."""


class ArraysTask(_AnyTask):
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

    units: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """Of every layer the first so many units; absent: all."""

    limit_mb: Annotated[int, Field(ge=1, le=1_000_000)] = 2048
    """Refuse to record more than this, in MiB per settling."""


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


class LedgerPlan(Parameters):
    """When a training stops to measure where its gradient error comes from."""

    every_epochs: Annotated[int, Field(ge=1, le=1_000_000)] = 1
    """Measure before training, then every so many epochs and after the last."""

    samples: Annotated[int, Field(ge=1, le=100_000)] = 64
    """The first so many training samples."""


class Train(Parameters):
    """Train the chip through its own measurements."""

    kind: Literal["train"]
    epochs: Annotated[int, Field(ge=1, le=1_000_000)] = 10
    """Passes over the training samples."""

    samples: Annotated[int, Field(ge=1)] | None = None
    """Train on the first so many samples; absent: all."""

    test_samples: Annotated[int, Field(ge=1)] | None = None
    """Test on the first so many samples; absent: all."""

    ledger: LedgerPlan | None = None
    """Measurements along the way; absent: none."""

    reference: bool = False
    """Train the same chip once more with its exact gradients, from the same start, to compare with."""

    checkpoint_seconds: Annotated[float, Field(gt=0.0, le=86_400.0)] = 60.0
    """Keep a checkpoint after every epoch, and within an epoch at least this often; seconds."""

    record: Record | None = None
    """Settling curves of the trained chip; absent: none."""


class Evaluate(Parameters):
    """Accuracy of the given parameters over many fabricated chips; nothing is learned."""

    kind: Literal["evaluate"]
    chips: Annotated[int, Field(ge=1, le=100_000)] = 10
    """Number of chips, from `chip.instance` on."""

    samples: Annotated[int, Field(ge=1)] | None = None
    """Test on the first so many samples; absent: all."""


Experiment = Annotated[Settle | Measure | Train | Evaluate, Field(discriminator="kind")]


class Scenario(Parameters):
    """One experiment on one chip, completely described."""

    schema_version: Annotated[Literal[1], Field(alias="schema")]
    """Version of the scenario language; 1."""

    name: Annotated[str, Field(pattern=NAME)]
    """Name of the run; letters, digits, ``_ . -``."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Seed of everything random; 0 to 2^63 - 1."""

    network: Network
    physical: Physical | None = None
    chip: Chip = Chip()
    dynamics: Dynamics = Dynamics()
    devices: Devices = Devices()
    learning: Learning = Learning()
    task: Task
    experiment: Experiment

    @model_validator(mode="after")
    def _schemes_for_measure(self) -> Scenario:
        if self.experiment.kind in ("measure", "train") and not self.learning.all_schemes():
            raise PydanticCustomError(
                "no_scheme",
                'measure and train need a nudge scheme: add [learning] scheme = { kind = "centred", beta = 0.2 }',
            )
        return self

    @model_validator(mode="after")
    def _times_in_tau(self) -> Scenario:
        faults = times.faults(self.dynamics, self._tau)
        _refuse([(("dynamics", *fault.path), fault.message, fault.hint) for fault in faults])
        return self

    @model_validator(mode="after")
    def _fit_together(self) -> Scenario:
        """Refuse combinations that have no meaning; each at the key that can be changed."""
        found: list[tuple[tuple[str | int, ...], str, str]] = []
        holomorphic = isinstance(self.network.activation, str) and self.network.activation in HOLOMORPHIC
        one = self.learning.scheme is not None
        for k, scheme in enumerate(self.learning.all_schemes()):
            place = ("learning", "scheme") if one else ("learning", "schemes", k)
            if not holomorphic and any(complex(node.beta).imag for node in scheme.nodes()):
                hint = "take a scheme with real nudges, such as centred, or an activation such as sigmoid or dsilu"
                found.append((place, "needs complex states, which this activation does not have", hint))
        record = getattr(self.experiment, "record", None)
        if record is not None and (self.dynamics.mode == "equilibrium" or self.dynamics.method == "rk45"):
            hint = 'set dynamics.mode = "trajectory" and a method of fixed steps'
            found.append((("experiment",), "settling curves need a trajectory of fixed steps", hint))
        if self.devices.noise.on and (fault := self.dynamics_in_tau().noise_fault()):
            found.append((("devices", "noise"), "does not go with these dynamics", fault))
        _refuse(found)
        return self

    @property
    def _tau(self) -> float | None:
        return self.physical.resolved().tau if self.physical else None

    def dynamics_in_tau(self) -> Dynamics:
        """Return the dynamics as the substrate takes them: times in units of tau, durations as numbers of steps."""
        return times.plain(self.dynamics, self._tau)

    def to_toml(self) -> str:
        """Return the scenario with every default filled in, as TOML."""
        return tomlkit.dumps(self.model_dump(by_alias=True, exclude_none=True, mode="json"))


def _refuse(found: list[tuple[tuple[str | int, ...], str, str]]) -> None:
    """Raise one error for (place, message, hint) of everything found."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError("fit", "{words}", {"words": words, "hint": hint}), loc=place, input=None
        )
        for place, words, hint in found
    ]
    if details:
        raise ValidationError.from_exception_data("Scenario", details)
