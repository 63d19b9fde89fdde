"""Emitters for Flax, one file for each family of operators. Importing this package fills the tables."""

from importlib import import_module
from pkgutil import iter_modules

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")
