"""Groups of a result as labelled arrays of xarray."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..results.store import Group, Variable

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
