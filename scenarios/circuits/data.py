"""The data of a circuit: samples of a task in volts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..data.arrays import DataError, compute_digest
from ..data.datasets import Data, Rows, open_task_source, load_source_data
from ..language.load import LoadedScenario
from ..schema.circuit.scenario import CircuitSpec, VoltagesTask

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ScaledRows:
    """Rows in volts, each made when it is asked for."""

    rows: Rows
    volts: float

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.rows)

    @property
    def shape(self) -> tuple[int, ...]:
        """Samples and columns."""
        return self.rows.shape

    def __getitem__(self, ids: slice | NDArray[np.int64]) -> ScaledRows | Array:
        """Return rows by number; of a slice the same lazy rows."""
        part = self.rows[ids]
        return ScaledRows(part, self.volts) if isinstance(ids, slice) else self.volts * np.asarray(part)

    def __array__(self, dtype: object = None, copy: object = None) -> Array:
        """Return all rows."""
        del dtype, copy
        return self.volts * np.asarray(self.rows)


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
    with open_task_source(task, loaded.folder("task", "path")) as source:
        data = load_source_data(source, inputs, outputs)
    scaled = [ScaledRows(data.x, physical.input_volts), ScaledRows(data.y, physical.target_volts)]
    tests = [ScaledRows(data.x_test, physical.input_volts), ScaledRows(data.y_test, physical.target_volts)]
    return data._replace(x=scaled[0], y=scaled[1], x_test=tests[0], y_test=tests[1])


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
