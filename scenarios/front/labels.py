"""Groups of a result as labelled arrays of xarray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..results.disk import StoreReadError
from ..results.store import Group, ResultData, Variable
from ..results.variables import make_flags

if TYPE_CHECKING:
    import xarray as xr


def convert_to_dataset(group: Group) -> xr.Dataset:
    """Return one group as labelled arrays."""
    import xarray as xr

    def attributes(variable: Variable) -> dict[str, Any]:
        found: dict[str, Any] = {"long_name": variable.long_name, "units": variable.units}
        if variable.flags is not None:
            found["flag_values"] = [int(flag) for flag in variable.flags]
            found["flag_meanings"] = " ".join(flag.name.lower() for flag in variable.flags)
        return found

    arrays = {name: (v.dims, v.data, attributes(v)) for name, v in group.items()}
    coordinates = {name for name, variable in group.items() if variable.dims == (name,)}
    return xr.Dataset(
        {name: array for name, array in arrays.items() if name not in coordinates},
        {name: arrays[name] for name in coordinates},
    )


def convert_to_result_data(tree: xr.DataTree) -> ResultData:
    """Return what a result file holds from the tree that xarray makes of it.

    Raises
    ------
    StoreReadError
        If it is the tree of a sweep, whose plan is in its folder.
    """
    groups: dict[str, Group] = {}
    for node in tree.subtree:
        if node.path != "/" and node.variables:
            variables = node.to_dataset(inherit=False).variables
            groups[node.path.lstrip("/")] = {str(name): _convert_variable(v) for name, v in variables.items()}
    if "points" in groups:
        raise StoreReadError("this tree is of a sweep: draw the figures of nudgelab.open(its folder)")
    return ResultData({str(name): value for name, value in tree.attrs.items()}, groups)


def _convert_variable(variable: xr.Variable) -> Variable:
    data, told = np.asarray(variable.values), variable.attrs
    if data.dtype.kind == "O":
        data = data.astype(str)
    flags = make_flags(told["flag_meanings"], told["flag_values"]) if "flag_meanings" in told else None
    dims = tuple(map(str, variable.dims))
    return Variable(dims, data, str(told.get("units", "1")), str(told.get("long_name", "")), flags)
