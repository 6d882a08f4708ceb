"""Write policies: what a controller makes of requested changes. Every module here registers what it has."""

import importlib
import pkgutil

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")
