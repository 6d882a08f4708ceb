"""All blocks of devices of one chip, and the imperfections that they declare."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, Union, get_args

from pydantic import Discriminator, SerializerFunctionWrapHandler, model_serializer
from pydantic.fields import FieldInfo

from .block import BlockError, DeviceBlock, check_block, get_block_method, get_block_name, make_block_cause
from .imperfection import Cause, CauseContext
from .interface.converter import Converters
from .interface.hold import Hold
from .neuron.membrane import NeuronDevices
from .neuron.noise import Noise
from .parameters import Parameters
from .programming.comparator import Comparator
from .programming.laws import Update
from .programming.own import LawError, WriteLaw, get_law_kind
from .synapse.cell import FeedbackDevices, WeightDevices
from .synapse.retention import Retention
from .synapse.twin import Twin
from .synapse.wires import Wires


class Devices(Parameters):
    """Imperfections; an absent block is ideal, bit for bit."""

    weights: WeightDevices = WeightDevices()
    """Cells of all weights."""

    feedback: FeedbackDevices = FeedbackDevices()
    """Devices of the feedback connections."""

    wires: Wires = Wires()
    """Lines of the arrays of cells."""

    twin: Twin | None = None
    """Second board, for nudged settlings; absent: one board for all."""

    neurons: NeuronDevices = NeuronDevices()
    """Membranes."""

    noise: Noise = Noise()
    """Noise of the membranes while they settle, and of reads."""

    converters: Converters = Converters()
    """Readout converter, and the circuit that applies the nudge."""

    hold: Hold = Hold()
    """Capacitors in which reads wait for others."""

    comparator: Comparator | None = None
    """Comparators that let only the sign of a request through to the cell; absent: none."""

    update: Update | None = None
    """How cells are written; absent: exactly as requested."""

    retention: Retention = Retention()
    """What happens to weights between two writes."""

    def acting(self, method: str) -> dict[str, DeviceBlock]:
        """Return the blocks with a method of their own, see `devices.block`, as far as they are not ideal."""
        blocks = {name: block for name, block in self if isinstance(block, DeviceBlock) and block != type(block)()}
        return {name: block for name, block in blocks.items() if get_block_method(type(block)) == method}

    if not TYPE_CHECKING:  # a type checker would then take any name for a block

        def __getattr__(self, name: str) -> Any:
            """Return a block that was added after this object was made: ideal, as its default."""
            field = Devices.model_fields.get(name)
            return super().__getattr__(name) if field is None else field.default

    @model_serializer(mode="wrap")
    def _without_ideal_blocks(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # So the name of a block that a user added is needed only where it acts.
        told: dict[str, Any] = handler(self)
        idle = {name for name, block in self if isinstance(block, DeviceBlock) and block == type(block)()}
        return {name: part for name, part in told.items() if name not in idle}


class DeclaredCause(NamedTuple):
    """An imperfection, and the blocks that have it."""

    cause: Cause
    """As its first block declares it."""

    blocks: list[str]

    def take_from(self, devices: Devices, use: CauseContext) -> Devices:
        """Return the devices without this imperfection; the same devices where no block has it."""
        parts = {name: part for name in self.blocks if (part := getattr(devices, name)) is not None}
        found = {
            name: (cause, part, Devices.model_fields[name].default)
            for name, part in parts.items()
            for cause in part.causes
            if cause.name == self.cause.name
        }
        if not any(cause.present(part, default, use) for cause, part, default in found.values()):
            return devices
        ideal = {name: cause.ideal_of(part, default, use) for name, (cause, part, default) in found.items()}
        return devices.model_copy(update=ideal)

    def kind_in(self, devices: Devices) -> str:
        """Return the class of this imperfection in some devices, a key of `EFFECTS`."""
        part = getattr(devices, self.blocks[0])
        return self.cause.kind if self.cause.kind_of is None else self.cause.kind_of(part)


def list_declared_causes() -> dict[str, DeclaredCause]:
    """Return every imperfection that a block declares, by name, in the order of the blocks and of `Cause.before`."""
    found: dict[str, DeclaredCause] = {}
    for block, kinds in list_block_classes().items():
        for cause in (cause for kind in kinds for cause in kind.causes):
            blocks = found.setdefault(cause.name, DeclaredCause(cause, [])).blocks
            if block not in blocks:  # all that a block can be have it
                blocks.append(block)
    return order_keys(found, {name: one.cause.before for name, one in found.items() if one.cause.before})


def list_block_classes() -> dict[str, list[Any]]:
    """Return the classes that every block can be, by its name."""
    return {name: list(_iterate_block_classes(field.annotation)) for name, field in Devices.model_fields.items()}


def order_keys(found: dict[str, Any], before: dict[str, str]) -> dict[str, Any]:
    """Return a dictionary in its order, but some keys before others."""
    names = [name for name in found if name not in before]
    for name, later in before.items():
        names.insert(names.index(later), name)
    return {name: found[name] for name in names}


def add_block(block: type[DeviceBlock]) -> None:
    """Let a chip have one more block; one of the same name that was added before makes way for it.

    Raises
    ------
    BlockError
        If it has no name or a name that is taken, or `devices.block.check_block` finds anything.
    """
    check_block(block)
    name = get_block_name(block)
    before = Devices.model_fields.get(name)
    if hasattr(Devices(), name) and (before is None or not _is_user_block(before.annotation)):
        raise BlockError(f"kind = {name!r} of {block.__name__} is taken: call the block something else")
    block.causes = (make_block_cause(name, block),)
    Devices.model_fields[name] = FieldInfo(annotation=block, default=block(), description=inspect.getdoc(block))
    Devices.model_rebuild(force=True)


def _is_user_block(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, DeviceBlock)


def add_write_law(law: type[WriteLaw]) -> None:
    """Let cells be written by one more law, under its `kind`; one of the same kind makes way for it.

    Raises
    ------
    LawError
        If the law has no kind of its own.
    """
    kind, field = get_law_kind(law), Devices.model_fields["update"]
    laws = {str(one.model_fields["kind"].default): one for one in _iterate_block_classes(field.annotation)}
    if kind in laws and not issubclass(laws[kind], WriteLaw):
        raise LawError(f"{law.__name__}: there is a law of kind {kind!r} already: call it something else")
    field.annotation = Annotated[Union[*(laws | {kind: law}).values()], Discriminator("kind")] | None  # type: ignore[assignment]
    Devices.model_rebuild(force=True)


def _iterate_block_classes(annotation: Any) -> Iterator[Any]:
    """Yield the classes that a block can be."""
    if isinstance(annotation, type) and issubclass(annotation, Parameters):
        yield annotation
    for part in get_args(annotation):
        yield from _iterate_block_classes(part)
