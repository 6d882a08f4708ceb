"""How programs of JAX are compiled and kept, and in which numbers they calculate.

JAX has one switch for numbers of double precision, and its own default is off. The engine enters a context of the
calling thread that switches it on, for every precision, and leaves it with results that are NumPy's: the user's own
code in JAX goes on as it was.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import jax

from ..folders import find_folder

F = TypeVar("F", bound=Callable[..., Any])


def calculate_in_double(function: F) -> F:
    """Let `function` see numbers of double precision; what it returns must not hold arrays of JAX.

    The function raises MemoryError, in words, where the device has too little memory for what it is given.
    """

    @functools.wraps(function)
    def inside(*arguments: Any, **named: Any) -> Any:
        _keep_programs()
        with jax.enable_x64(True):
            try:
                return function(*arguments, **named)
            except jax.errors.JaxRuntimeError as error:
                if "RESOURCE_EXHAUSTED" not in str(error):
                    raise
                words = "the device has no room for the samples of a tile, dynamics.tile makes it smaller"
                raise MemoryError(f"{words} ({error})") from error

    return cast("F", inside)


@functools.cache
def _keep_programs() -> None:
    """Keep compiled programs in a folder that only this user can write; programs of the user's own JAX code, too.

    What is loaded from it runs as machine code, so that a folder the user chose is left as it is.
    """
    if jax.config.jax_compilation_cache_dir is not None:
        return
    # JAX names what it keeps by the whole program.
    found = find_folder(f"jax-{jax.__version__}")
    if found.folder is not None:
        jax.config.update("jax_compilation_cache_dir", str(found.folder))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
