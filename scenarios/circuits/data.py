"""The data of a circuit: samples of a task in volts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data.arrays import DataError, compute_digest
from ..data.datasets import Data, load_source_data, open_task_source
from ..data.images.rows import LazyRows
from ..language.load import LoadedScenario
from ..schema.circuit.scenario import AlternatingTask, CircuitSpec, VoltagesTask

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ScaledRows(LazyRows):
    """Rows in volts."""

    volts: float

    @property
    def columns(self) -> int:
        """Numbers of a row."""
        return int(self.raw.shape[1])

    def make(self, raw: NDArray[Any]) -> Array:
        """Return rows in volts."""
        return np.asarray(self.volts * raw, dtype=np.float64)


def read_circuit_data(loaded: LoadedScenario, spec: CircuitSpec, inputs: int, outputs: int) -> Data:
    """Return the samples of a circuit, in volts.

    Raises
    ------
    DataError
        If they cannot be read, or do not fit the circuit.
    """
    task, physical = spec.task, spec.physical
    if isinstance(task, VoltagesTask):
        return _make_voltages(task, inputs, outputs)
    if isinstance(task, AlternatingTask):
        return _make_alternating(task, inputs, outputs)
    with open_task_source(task, loaded.folder("task", "path")) as source:
        data = load_source_data(source, inputs, outputs)
    x, x_test = (ScaledRows(np.asarray(rows), physical.input_volts) for rows in (data.x, data.x_test))
    y, y_test = (ScaledRows(np.asarray(rows), physical.target_volts) for rows in (data.y, data.y_test))
    return data._replace(x=x, y=y, x_test=x_test, y_test=y_test)


def _make_voltages(task: VoltagesTask, inputs: int, outputs: int) -> Data:
    rows = {"inputs": (task.inputs, inputs), "targets": (task.targets, outputs)}
    for name, (given, width) in rows.items():
        for k, row in enumerate(given):
            if len(row) != width:
                words = f"row {k} has {len(row)} voltages, the circuit {width} {name.replace('targets', 'outputs')}"
                raise DataError(f"task.{name}", words, "give one voltage for each")
    if len(task.inputs) != len(task.targets):
        words = f"{len(task.targets)} rows, and inputs has {len(task.inputs)}"
        raise DataError("task.targets", words, "give one row of both for every sample")
    x, y = np.array(task.inputs), np.array(task.targets)
    return Data(x, y, x[:0], y[:0], None, compute_digest({"x": x, "y": y}))


def _make_alternating(task: AlternatingTask, inputs: int, outputs: int) -> Data:
    """Return the samples of all tasks, one task after the other."""
    for name, rows in task.tasks.items():
        for k, row in enumerate(rows):
            if len(row) != inputs + outputs:
                words = f"row {k} has {len(row)} voltages, the circuit {inputs} inputs and {outputs} outputs"
                raise DataError(f"task.tasks.{name}", words, "give one voltage for each")
    for name, rows in task.offsets.items():
        if name not in task.tasks:
            raise DataError(f"task.offsets.{name}", "there is no such task", f"tasks are {', '.join(task.tasks)}")
        if [len(row) for row in rows] != [outputs] * len(task.tasks[name]):
            words = f"must have {len(task.tasks[name])} rows of {outputs} voltages"
            raise DataError(f"task.offsets.{name}", words, "give one row a sample of the task")
    samples = np.array([row for rows in task.tasks.values() for row in rows])
    x, y = samples[:, :inputs], samples[:, inputs:]
    return Data(x, y, x[:0], y[:0], None, compute_digest({"x": x, "y": y}))
