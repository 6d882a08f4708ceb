"""What the folders of well-known data sets look like, and what to do with them."""

from __future__ import annotations

from fnmatch import fnmatch
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from .arrays import convert_read_errors, make_data_error

_LOOK = 2000
"""So many entries of a folder are looked at."""

_SAVE = (
    'numpy.savez("data.npz", x=images.reshape(len(images), -1) / 255, y=labels), with x_test and y_test likewise, '
    'and set task = { kind = "arrays", path = "data.npz" }'
)
_CIFAR = 'set task = {{ kind = "cifar", name = "{}", path = THE FOLDER }}'
_BINARY = f"take the binary version of the same set, and {_CIFAR}"


class KnownLayout(NamedTuple):
    """A data set as others lay it out."""

    words: str
    signs: tuple[str, ...]
    """Patterns of names, each of which some entry of the folder has."""

    cure: str


KINDS = (
    KnownLayout("CIFAR-10 as Python pickles", ("data_batch_1", "test_batch"), _BINARY.format("cifar-10")),
    KnownLayout("CIFAR-10 in binary", ("data_batch_1.bin", "test_batch.bin"), _CIFAR.format("cifar-10")),
    KnownLayout("CIFAR-100 as Python pickles", ("train", "test", "meta"), _BINARY.format("cifar-100")),
    KnownLayout("CIFAR-100 in binary", ("train.bin", "test.bin"), _CIFAR.format("cifar-100")),
    KnownLayout(
        "ImageNet at 32 x 32 pixels",
        ("train_data_batch_1*", "val_data*"),
        'set task = { kind = "imagenet32", path = THE FOLDER }',
    ),
    KnownLayout("a packed archive", ("*.tar*",), "unpack it and give the folder that comes out"),
    KnownLayout("a packed archive", ("*.tgz",), "unpack it and give the folder that comes out"),
    KnownLayout("a packed archive", ("*.zip",), "unpack it and give the folder that comes out"),
    KnownLayout("IDX files under other names", ("train-images?idx3*",), "name them train-images-idx3-ubyte and so on"),
    KnownLayout("MATLAB files", ("*.mat",), f"scipy.io.loadmat(FILE) gives the arrays by name: {_SAVE}"),
    KnownLayout("Parquet files", ("*.parquet",), f"pandas.read_parquet(FILE) gives a table with the images: {_SAVE}"),
    KnownLayout("CSV files", ("*.csv",), f"table = numpy.loadtxt(FILE, delimiter=',', skiprows=1) gives the rows: {_SAVE}"),
    KnownLayout("arrays of NumPy", ("*.npy",), f"numpy.load(FILE) gives one array each: {_SAVE}"),
    KnownLayout("an npz file", ("*.npz",), 'set task = { kind = "arrays", path = THE FILE }'),
    KnownLayout("single pictures", ("*.png",), f"read them into one array with Pillow or imageio: {_SAVE}"),
    KnownLayout("single pictures", ("*.jp*g",), f"read them into one array with Pillow or imageio: {_SAVE}"),
)
"""The first that fits is told."""


def recognise_layout(folder: Path) -> tuple[str, str] | None:
    """Return what a folder holds that is no set of IDX files, and what to do; None if it is not known.

    Raises
    ------
    OSError
        When the folder cannot be read.
    """
    if (found := _match_layout(folder)) is not None:
        return found
    inside = [path for path in islice(sorted(folder.iterdir()), _LOOK) if path.is_dir()]
    for below in [
        *inside,
        *(deep for path in inside[: _LOOK // 100] for deep in sorted(path.iterdir()) if deep.is_dir()),
    ]:
        if any(below.glob("train-images-idx3-ubyte*")):
            place = below.relative_to(folder)
            return f"it holds the folder {place}, which has the IDX files", f'add "/{place.as_posix()}" to task.path'
        if (found := _match_layout(below)) is not None:
            return f"in its folder {below.relative_to(folder)} {found[0]}", found[1]
    return None


def refuse_known_layout(folder: Path, message: str) -> None:
    """Refuse a folder if it is laid out as some well-known data set is, saying what to do with that.

    Raises
    ------
    DataError
        If it is; the words are `message` and what was found.
    """
    with convert_read_errors(folder, "a folder"):
        if (found := recognise_layout(folder)) is not None:
            raise make_data_error(f"{message}: {found[0]}", found[1])


def _match_layout(folder: Path) -> tuple[str, str] | None:
    names = [path.name for path in islice(folder.iterdir(), _LOOK)]
    for kind in KINDS:
        if all(any(fnmatch(name, sign) for name in names) for sign in kind.signs):
            return f"it looks like {kind.words}", kind.cure
    return None
