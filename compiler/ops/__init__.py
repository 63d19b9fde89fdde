"""Every operator, one class each, one file a family. Importing this package fills `Operator.registry`."""

from importlib import import_module
from pkgutil import iter_modules

from .base import Operator

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["Operator"]
