"""A scenario that moves to another folder, with paths that still lead to its files."""

from __future__ import annotations

import os
from pathlib import Path

from devices.activation import Named
from devices.memory import Pulsed

from .load import Loaded
from .measured_cells import PLACE as MEASURED
from .measured_converters import PLACES as CONVERTERS
from .schema import Scenario
from .schema_tasks import ArraysTask, IdxTask


def relocated(loaded: Loaded, folder: Path) -> Scenario:
    """Return the scenario with its paths relative to `folder`, so that its copy there can be run.

    Parameters
    ----------
    loaded : Loaded
        The scenario, and the folders that its paths start at.
    folder : Path
        Where the copy will be.
    """
    scenario = loaded.scenario
    if scenario.network.parameters is not None:
        path = os.path.relpath(loaded.folder("network", "parameters") / scenario.network.parameters, folder)
        network = scenario.network.model_copy(update={"parameters": path})
        scenario = scenario.model_copy(update={"network": network})
    if isinstance(scenario.network.activation, Named):
        path = os.path.relpath(
            loaded.folder("network", "activation", "table") / scenario.network.activation.table, folder
        )
        network = scenario.network.model_copy(update={"activation": Named(table=path)})
        scenario = scenario.model_copy(update={"network": network})
    law = scenario.devices.update
    if isinstance(law, Pulsed) and law.measured is not None:
        path = os.path.relpath(loaded.folder(*MEASURED) / law.measured, folder)
        devices = scenario.devices.model_copy(update={"update": law.model_copy(update={"measured": path})})
        scenario = scenario.model_copy(update={"devices": devices})
    for name, place in CONVERTERS.items():
        converters = scenario.devices.converters
        made = getattr(converters, name)
        if made is not None and made.measured is not None:
            path = os.path.relpath(loaded.folder(*place) / made.measured, folder)
            converters = converters.model_copy(update={name: made.model_copy(update={"measured": path})})
            devices = scenario.devices.model_copy(update={"converters": converters})
            scenario = scenario.model_copy(update={"devices": devices})
    if isinstance(scenario.task, IdxTask | ArraysTask):
        path = os.path.relpath(loaded.folder("task", "path") / scenario.task.path, folder)
        task = scenario.task.model_copy(update={"path": path})
        scenario = scenario.model_copy(update={"task": task})
    return scenario
