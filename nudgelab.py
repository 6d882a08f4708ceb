"""nudgelab: analog hardware that settles, its gradients, and where their error comes from.

>>> import nudgelab
>>> scenario = nudgelab.load("ledger", {"experiment.samples": 4})
>>> scenario.run().answer  # doctest: +SKIP

Every name is loaded when it is first used.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scenarios.api import (
        DeviceBlock,
        ErrorVector,
        FitError,
        FittedDevice,
        LearningRule,
        Node,
        Result,
        RunError,
        Scenario,
        ScenarioError,
        Scheme,
        StoreError,
        Sweep,
        SweepResult,
        WriteLaw,
        WritePolicy,
        catalogue,
        compare,
        draw,
        fit,
        identify,
        list_presets,
        load,
        merge,
        open,  # noqa: A004
        register,
        register_activation,
        register_figure,
        report,
        sweep,
    )

_PACKAGES = ("devices", "learning", "scenarios", "substrate")

__all__ = [
    "DeviceBlock",
    "ErrorVector",
    "FitError",
    "FittedDevice",
    "LearningRule",
    "Node",
    "Result",
    "RunError",
    "Scenario",
    "ScenarioError",
    "Scheme",
    "StoreError",
    "Sweep",
    "SweepResult",
    "WriteLaw",
    "WritePolicy",
    "catalogue",
    "compare",
    "draw",
    "fit",
    "identify",
    "list_presets",
    "load",
    "main",
    "merge",
    "open",
    "register",
    "register_activation",
    "register_figure",
    "report",
    "sweep",
]


def __getattr__(name: str) -> object:
    """Return a public name; load what it needs."""
    if name not in __all__:
        raise AttributeError(f"module 'nudgelab' has no attribute {name!r}: it has {', '.join(__all__)}")
    if hiding := _strangers():
        raise ImportError(_told(hiding))
    try:
        return getattr(importlib.import_module("scenarios.api"), name)
    except Exception as error:
        hiding = _hiding(error)
        if not hiding:
            raise
        raise ImportError(_told(hiding)) from error


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__


def main() -> None:
    """Run the command line; say which file hides a module that it needs, if one does."""
    if hiding := _strangers():
        sys.exit(_told(hiding))
    try:
        from scenarios.cli.main import main as command

        command()
    except Exception as error:
        hiding = _hiding(error)
        if not hiding:
            raise
        sys.exit(f"{type(error).__name__}: {error}\n{_told(hiding)}")


def _told(hiding: list[Path]) -> str:
    """Return what to do about files that hide modules."""
    names = ", ".join(str(path) for path in hiding)
    return f"nudgelab needs the modules that these files hide: {names} - rename them, or keep them off Python's path"


def _strangers() -> list[Path]:
    """Return what Python finds in place of our packages, which all lie beside this file; nothing is loaded."""
    own, found = Path(__file__).resolve().parent, []
    for name in _PACKAGES:
        spec = importlib.util.find_spec(name)
        path = Path(spec.origin).resolve() if spec is not None and spec.origin else own / name
        place = path.parent if path.stem == "__init__" else path
        if place.parent != own:
            found.append(place)
    return found


def _hiding(error: Exception) -> list[Path]:
    """Return files that took part in a failure and bear the name of a module of Python or a package of ours."""
    own = Path(__file__).resolve().parent
    foreseen = {Path(os.__file__).resolve().parent, Path(sys.prefix).resolve()}
    names = {*_PACKAGES} | sys.stdlib_module_names
    used = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    for module in filter(None, map(sys.modules.get, names)):
        file = getattr(module, "__file__", None)
        used += [file] if file else getattr(module, "__path__", [])
    found = set()
    for path in (Path(file).resolve() for file in used if Path(file).is_absolute()):
        place = path.parent if path.stem == "__init__" else path
        if place.stem in names and place.parent != own and not foreseen & set(path.parents):
            found.add(path)
    return sorted(found)
