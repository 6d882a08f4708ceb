"""What a result depends on, as short names: of a run, of a point of a sweep, of a sweep.

A name is a digest of everything a scenario says, in units of the model and without the places of its files, of what
those files hold, and of the release.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from ..language.named_files import without_files
from ..results.store import FORMAT
from ..schema.scenario import Scenario

_LEFT_OUT: dict[str, Any] = {"experiment": {"checkpoint_seconds"}, "sweep": True}
"""What a result does not depend on: how often a checkpoint is kept, the sweep around a run."""


def run_id(scenario: Scenario, content: Mapping[str, str]) -> str:
    """Return eight hex digits that name everything the result depends on.

    Parameters
    ----------
    scenario : Scenario
    content : mapping of key to digest
        What its files hold, see `scenarios.build.Setup`.
    """
    return _digest(scenario, content, _LEFT_OUT)[:8]


def point_id(scenario: Scenario, content: Mapping[str, str]) -> str:
    """Return twelve hex digits that name everything the result of a point depends on; its name is not among it."""
    return _digest(scenario, content, _LEFT_OUT | {"name": True})[:12]


def sweep_id(scenario: Scenario, content: Mapping[str, str]) -> str:
    """Return eight hex digits of what is swept, whatever the values: more of them go on in the same folder.

    Parameters
    ----------
    scenario : Scenario
        The one that is varied.
    content : mapping of key to digest
        Of the files that all points share.
    """
    return _digest(scenario, content, {"sweep": True})[:8]


def _digest(scenario: Scenario, content: Mapping[str, str], left_out: dict[str, Any]) -> str:
    told = without_files(scenario.in_units().model_dump(by_alias=True, mode="json", exclude=left_out))
    release = version("nudgelab").split(".")[:2]
    text = json.dumps([told, dict(content), FORMAT, release], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
