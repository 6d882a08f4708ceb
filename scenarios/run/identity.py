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

from ..language.load import AnySpec
from ..language.named_files import strip_file_paths
from ..results.store import FORMAT

_LEFT_OUT: dict[str, Any] = {
    "experiment": {"checkpoint_seconds"},
    "hardware": {"baud", "timeout", "retries"},
    "sweep": True,
}
"""What a result does not depend on: how often a checkpoint is kept, how lines travel, the sweep around a run."""


def compute_run_id(scenario: AnySpec, content: Mapping[str, str]) -> str:
    """Return eight hex digits that name everything the result depends on.

    Parameters
    ----------
    scenario : Scenario
    content : mapping of key to digest
        What its files hold, see `scenarios.build.Setup`.
    """
    return _hash_scenario(scenario, content, _LEFT_OUT)[:8]


def compute_point_id(scenario: AnySpec, content: Mapping[str, str]) -> str:
    """Return twelve hex digits that name everything the result of a point depends on; its name is not among it."""
    return _hash_scenario(scenario, content, _LEFT_OUT | {"name": True})[:12]


def compute_sweep_id(scenario: AnySpec, content: Mapping[str, str]) -> str:
    """Return eight hex digits of what is swept, whatever the values: more of them go on in the same folder.

    Parameters
    ----------
    scenario : Scenario
        The one that is varied.
    content : mapping of key to digest
        Of the files that all points share.
    """
    return _hash_scenario(scenario, content, {"sweep": True})[:8]


def _hash_scenario(scenario: AnySpec, content: Mapping[str, str], left_out: dict[str, Any]) -> str:
    told = strip_file_paths(scenario.in_units().model_dump(by_alias=True, mode="json", exclude=left_out))
    release = version("nudgelab").split(".")[:2]
    text = json.dumps([told, dict(content), FORMAT, release], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
