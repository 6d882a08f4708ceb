"""What a scenario file can say about data."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from devices.parameters import FilePath, Parameters

_MOST = 10_000_000


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
    path: FilePath
    """Folder with ``train-images-idx3-ubyte[.gz]`` and the three files beside it; relative to the scenario file."""


class ArraysTask(_AnyTask):
    """Your own arrays."""

    kind: Literal["arrays"]
    path: FilePath
    """npz file, relative to the scenario file: ``x`` (samples, inputs); ``y`` (samples, classes) or integer labels."""


class _GeneratedTask(_AnyTask):
    samples: Annotated[int, Field(ge=1, le=_MOST)] = 1000
    """Training samples."""

    test_samples: Annotated[int, Field(ge=0, le=_MOST)] = 500
    """Test samples; 0: none."""

    seed: Annotated[int, Field(ge=0, le=2**63 - 1)] = 0
    """Seed of the data, apart from that of the chip."""


class _PictureTask(_AnyTask):
    """Pictures of 32 x 32 pixels and three colours; inputs are ordered by row, column and colour."""

    samples: Annotated[int, Field(ge=1, le=_MOST)] | None = None
    """Training samples, the first so many; absent: all."""

    test_samples: Annotated[int, Field(ge=0, le=_MOST)] | None = None
    """Test samples, the first so many; absent: all."""

    std_factor: Annotated[float, Field(ge=0.01, le=100.0)] = 1.0
    """Inputs are ``(pixel - m)/(std_factor s)``, m and s over all pixels of its colour in all training pictures."""

    shrink: Literal[1, 2] = 1
    """2: an input is the mean over 2 x 2 pixels, 768 inputs in place of 3072."""

    flip: bool = False
    """Mirror half of the training pictures, left to right, drawn anew in every epoch; only used in training."""

    crop: Annotated[int, Field(ge=0, le=16)] = 0
    """Put so many black pixels around a training picture and cut 32 x 32 out at random; only used in training."""


class CifarTask(_PictureTask):
    """CIFAR-10 or CIFAR-100 in the binary version."""

    kind: Literal["cifar"]
    path: FilePath
    """Folder with ``data_batch_1.bin`` and the five files beside it, or ``train.bin`` and ``test.bin``."""

    name: Literal["cifar-10", "cifar-100"] = "cifar-10"
    """Which of the two."""

    labels: Literal["fine", "coarse"] = "fine"
    """Of CIFAR-100, the 100 classes or the 20 groups of them."""


class ImageNetTask(_PictureTask):
    """ImageNet at 32 x 32 pixels, 1000 classes."""

    kind: Literal["imagenet32"]
    path: FilePath
    """Folder with ``train_data_batch_1`` to ``10`` and ``val_data``, or the npz files of the same names."""


class MoonsTask(_GeneratedTask):
    """Two half circles of radius 1 that reach into each other, two inputs, two classes.

    The upper one is ``(cos t, sin t)``, the lower ``(1 - cos t, 1/2 - sin t)``, t uniform between 0 and pi.
    """

    kind: Literal["two-moons"]
    noise: Annotated[float, Field(ge=0.0, le=10.0)] = 0.1
    """Standard deviation of the noise on both inputs."""


class TeacherTask(_GeneratedTask):
    """What a random network answers: ``z = tanh(x A) B``, x normal, A and B normal with variance 1/fan-in."""

    kind: Literal["teacher"]
    inputs: Annotated[int, Field(ge=1, le=100_000)]
    """Inputs of the teacher."""

    outputs: Annotated[int, Field(ge=1, le=100_000)]
    """Outputs of the teacher."""

    hidden: Annotated[int, Field(ge=1, le=100_000)] = 32
    """Hidden units of the teacher."""

    targets: Literal["classes", "values"] = "classes"
    """`classes`: the largest output; `values`: ``1/(1 + exp(-z))``, for cost `mse`."""

    noise: Annotated[float, Field(ge=0.0, le=10.0)] = 0.0
    """Standard deviation of the noise on z, in training and test samples."""


Task = Annotated[
    BundledTask | IdxTask | CifarTask | ImageNetTask | ArraysTask | MoonsTask | TeacherTask, Field(discriminator="kind")
]
