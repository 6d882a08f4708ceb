"""Laws that tests register, and their end."""

from collections.abc import Iterator
from contextlib import contextmanager

from devices.hardware import Devices
from scenarios.schema.scenario import Scenario


@contextmanager
def forgotten_laws() -> Iterator[None]:
    """Forget at the end which laws of writing were registered inside the context."""
    field = Devices.model_fields["update"]
    before = field.annotation
    try:
        yield
    finally:
        field.annotation = before
        Devices.model_rebuild(force=True)
        Scenario.model_rebuild(force=True)
