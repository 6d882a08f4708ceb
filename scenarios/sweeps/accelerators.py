"""Which accelerator a worker of a sweep gets: one each, so that none waits for another's memory."""

from __future__ import annotations

import os
import re
from collections.abc import MutableMapping
from pathlib import Path

from distributed import WorkerPlugin


def list_accelerators(environment: MutableMapping[str, str] = os.environ, devices: Path = Path("/dev")) -> list[str]:
    """Return the names of the accelerators that CUDA may use: those it is told of, else those of the machine."""
    told = environment.get("CUDA_VISIBLE_DEVICES")
    if told is not None:
        return [name.strip() for name in told.split(",") if name.strip()]
    found = [re.fullmatch(r"nvidia(\d+)", path.name) for path in devices.glob("nvidia*")]
    return sorted((match[1] for match in found if match), key=int)


class OneAccelerator(WorkerPlugin):  # type: ignore[misc]
    """Leaves every worker one accelerator, before it imports JAX, and only the memory that it asks for.

    Parameters
    ----------
    accelerators : list of str
        Their names; workers take them in turn. Empty: nothing is said.
    """

    def __init__(self, accelerators: list[str]) -> None:
        self._accelerators = accelerators

    def setup(self, worker: object) -> None:
        """Say it to the process of a worker, whose name is its number."""
        if self._accelerators:
            number = int(getattr(worker, "name", 0))
            os.environ["CUDA_VISIBLE_DEVICES"] = self._accelerators[number % len(self._accelerators)]
            os.environ["XLA_PYTHON_CLIENT_PREALLOCATE"] = "false"
