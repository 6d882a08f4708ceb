"""A block of devices in one class: its parameters, its imperfection, and what it does, at one of three places."""

from __future__ import annotations

import re
from typing import Any, ClassVar, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from .imperfection import COMMON, DIFFERENT, RANDOM, Cause
from .parameters import Parameters

Array = NDArray[np.float64]
A = TypeVar("A", bound=NDArray[Any])


class BlockError(RuntimeError):
    """A block that a user wrote cannot be used; the text says why."""


class DeviceBlock(Parameters):
    """Base of a block that acts at one place; a subclass has one of these methods of its own.

    Every parameter has a default, at which the method returns its first argument. All numbers it needs beside them are
    given: standard normal ones that this chip keeps for ever (`fixed`), or that are new in every read (`fresh`).
    """

    causes: ClassVar[tuple[Cause, ...]] = ()

    def feel(self, weights: Array, fixed: Array) -> Array:
        """Return what the units feel of the weights (pre, post) of a connection; units of the weight."""
        del fixed
        return weights

    def read(self, activity: Array, fixed: Array) -> Array:
        """Return what is read, before the converter, of activities (batch, units); `fixed` is (units,)."""
        del fixed
        return activity

    def disturb(self, activity: Array, fresh: Array) -> Array:
        """Return what one read makes, before the converter, of activities (batch, units); `fresh` is as large."""
        del fresh
        return activity

    @property
    def random(self) -> bool:
        """Tell whether two reads of one activity differ."""
        return self != type(self)() and get_block_method(type(self)) == "disturb"


_KINDS = {"feel": COMMON, "read": DIFFERENT, "disturb": RANDOM}
"""What a block does to an estimate, by its method."""


def get_block_method(block: type[DeviceBlock]) -> str:
    """Return the method that a block has of its own.

    Raises
    ------
    BlockError
        If it is no block, or has none or several.
    """
    if not (isinstance(block, type) and issubclass(block, DeviceBlock)):
        raise BlockError(f"{block!r} is no block of devices: derive a class from nudgelab.DeviceBlock")
    own = [name for name in _KINDS if getattr(block, name) is not getattr(DeviceBlock, name)]
    if len(own) != 1:
        has = ", ".join(own) or "none of them"
        raise BlockError(f"{block.__name__} has {has}: write one method of {', '.join(_KINDS)}; a second needs a block")
    return own[0]


def get_block_name(block: type[DeviceBlock]) -> str:
    """Return the name of a block, the only value of its field `kind`.

    Raises
    ------
    BlockError
        If it has none that can be a key of scenarios.
    """
    field = block.model_fields.get("kind")
    names = get_args(field.annotation) if field is not None else ()
    if field is None or names != (field.default,) or not re.fullmatch(r"[a-z][a-z0-9_]{0,49}", str(field.default)):
        example = 'kind: Literal["my_block"] = "my_block"'
        raise BlockError(f"{block.__name__} says no name: give it {example}, small letters, digits and _")
    return str(field.default)


def make_block_cause(name: str, block: type[DeviceBlock]) -> Cause:
    """Return the imperfection of a block, by the name of the block and by what it does."""
    method = get_block_method(block)
    return Cause(name, _KINDS[method], of_weights=method == "feel")


def apply_block(block: DeviceBlock, method: str, before: A, numbers: Array) -> A:
    """Return what a block makes of an array.

    Raises
    ------
    BlockError
        If its method fails, or returns anything but finite numbers of the same shape.
    """
    words = f"{type(block).__name__}.{method}"
    try:
        after = np.asarray(getattr(block, method)(before, numbers))
    except Exception as error:
        raise BlockError(f"{words} failed: {type(error).__name__}: {error}") from error
    # What is not finite already, such as a state that ran away, may stay so.
    fits = after.shape == before.shape and after.dtype.kind in "iuf"
    if not fits or (np.isfinite(before) & ~np.isfinite(after)).any():
        found = f"{after.dtype} {after.shape}" + (", some of them not finite" if fits else "")
        raise BlockError(f"{words} must return finite numbers of shape {before.shape}: it returned {found}")
    return after  # type: ignore[return-value]


def fingerprint_block(block: DeviceBlock) -> Array:
    """Return what a block makes of some numbers, which tells two blocks of one name apart."""
    return apply_block(block, get_block_method(type(block)), _SAMPLE, _NUMBERS)


_SAMPLE, _NUMBERS = np.linspace(-1.0, 1.0, 12).reshape(3, 4), np.linspace(-2.0, 2.0, 12).reshape(3, 4)


def check_block(block: type[DeviceBlock]) -> None:
    """Check a block that is new: what it does, its defaults, and that it does nothing with them.

    Raises
    ------
    BlockError
        Saying what is wrong.
    """
    method = get_block_method(block)
    if needed := [name for name, field in block.model_fields.items() if field.is_required()]:
        raise BlockError(f"{block.__name__}.{needed[0]} has no default: give the ideal value, such as 0.0")
    if not np.array_equal(fingerprint_block(block()), _SAMPLE):
        raise BlockError(f"{block.__name__}() is not ideal: with its defaults `{method}` must return what it was given")
