"""Emitters for frameworks with NumPy's names, one file for each family of operators. Importing this package fills `ARRAY`."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
