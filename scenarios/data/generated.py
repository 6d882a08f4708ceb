"""Tasks that are made, not read: two moons, and what a random teacher network answers."""

from __future__ import annotations

from functools import partial

import numpy as np
from numpy.typing import NDArray

from devices.random import Stream

from .arrays import LazyArray
from ..schema.tasks import MoonsTask, TeacherTask

Array = NDArray[np.float64]
Drawn = tuple[Array, Array | NDArray[np.int64]]


def generate_arrays(task: MoonsTask | TeacherTask) -> dict[str, LazyArray]:
    """Return the arrays of a task, none of which is made before it is read.

    They depend on the keys of the task alone, and more samples begin with those of fewer.
    """
    labels = isinstance(task, MoonsTask) or task.targets == "classes"
    inputs, outputs = (2, 2) if isinstance(task, MoonsTask) else (task.inputs, task.outputs)
    width, kind = ((), np.dtype(np.int64)) if labels else ((outputs,), np.dtype(np.float64))
    found = {}
    for end, samples in (("", task.samples), ("_test", task.test_samples)):
        if samples > 0:
            found[f"x{end}"] = LazyArray(f"x{end}", (samples, inputs), np.dtype(np.float64), partial(_generate_array, task, end, 0))
            found[f"y{end}"] = LazyArray(f"y{end}", (samples, *width), kind, partial(_generate_array, task, end, 1))
    return found


def _generate_array(task: MoonsTask | TeacherTask, end: str, which: int) -> Array | NDArray[np.int64]:
    samples = task.test_samples if end else task.samples
    drawn = _sample_moons(task, end, samples) if isinstance(task, MoonsTask) else _sample_teacher(task, end, samples)
    return drawn[which]


def _sample_moons(task: MoonsTask, end: str, samples: int) -> Drawn:
    """Return points (samples, 2) on two half circles, even ones on the upper, odd ones on the lower, and the side."""
    angle = np.pi * Stream(task.seed, f"task/angle{end}").uniform((samples,))
    side = np.arange(samples) % 2
    x = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    x[side == 1] = [1.0, 0.5] - x[side == 1]
    return x + task.noise * Stream(task.seed, f"task/noise{end}").normal(x.shape), side


def _sample_teacher(task: TeacherTask, end: str, samples: int) -> Drawn:
    """Return normal inputs (samples, inputs) and what the teacher makes of them."""
    x = Stream(task.seed, f"task/x{end}").normal((samples, task.inputs))
    first = Stream(task.seed, "task/first").normal((task.inputs, task.hidden)) / np.sqrt(task.inputs)
    second = Stream(task.seed, "task/second").normal((task.hidden, task.outputs)) / np.sqrt(task.hidden)
    answer = np.tanh(x @ first) @ second
    answer = answer + task.noise * Stream(task.seed, f"task/noise{end}").normal(answer.shape)
    return x, answer.argmax(axis=1) if task.targets == "classes" else 1.0 / (1.0 + np.exp(-answer))
