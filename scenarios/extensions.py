"""What a user adds from his own file: it is registered under a name, and scenarios name it.

No code is ever loaded from a scenario: a name means what the Python that runs it has registered.
"""

from __future__ import annotations

from typing import TypeVar

from devices.hardware import add_write_law
from devices.programming.own import WriteLaw

from .schema.scenario import Scenario

L = TypeVar("L", bound=type[WriteLaw])


def register_write_law(law: L) -> L:
    """Let ``devices.update.kind`` be a law of pulses of your own; decorates its class.

    Its parameters are keys of scenarios, beside those that all laws of pulses have. What results are called depends on
    the sizes of its steps. A kind that was registered before means the new law from now on.

    Parameters
    ----------
    law : subclass of WriteLaw
        Its `kind` is a literal with a default, such as ``kind: Literal["my-law"] = "my-law"``; its methods `up` and
        `down` return what a step is multiplied with at places from 0 (lower bound) to 1 (upper one).

    Raises
    ------
    LawError
        If it is no such class, has no kind, or has one of nudgelab's.
    """
    add_write_law(law)
    Scenario.model_rebuild(force=True)
    return law
